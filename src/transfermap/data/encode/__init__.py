"""From mixed columns to a matrix: scaling, filling, categories, dates, topics of text."""
