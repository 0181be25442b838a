"""Which target rows to label, and what labels do to the verdict."""
