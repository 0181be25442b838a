"""What the commands print, as rich renderables."""
