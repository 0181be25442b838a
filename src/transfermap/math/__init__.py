"""Pure functions on arrays; nothing here knows of domains."""
