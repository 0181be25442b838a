"""What a deep method is, and the one loop that trains all of them."""
