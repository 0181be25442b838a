"""The place on the map that fits a situation, and what to run next."""
