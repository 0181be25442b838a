"""Folders, files and grids of images, found and decoded."""
