"""What can be measured: shifts between domains, validators without target labels, transferability, scores."""
