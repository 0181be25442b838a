"""How well a source, a layer or a pretrained net should carry over, before anything is trained."""
