"""How two domains differ: distances, two-sample tests, domain classifiers, label shift, support."""
