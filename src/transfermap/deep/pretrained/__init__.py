"""Backbones for images and text that others have trained, and the cache of their features."""
