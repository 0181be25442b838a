"""Small nets, and what is done to the layers of any net: freezing, low-rank corrections, other heads."""
