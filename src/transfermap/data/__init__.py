"""From what people have to columns of numbers; nothing here knows of domains, tasks or methods."""
