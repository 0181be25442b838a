"""What a person sees: console views, pages, plots; nothing here computes a result."""
