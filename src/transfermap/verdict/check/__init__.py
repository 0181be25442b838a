"""What differs between two domains, found before any training."""
