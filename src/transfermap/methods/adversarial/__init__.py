"""Adversarial adaptation."""
