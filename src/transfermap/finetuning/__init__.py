"""A pretrained net trained on labels of the user's own: recipes, averaging, learning curves, ranking of nets."""
