"""Paths: the values that a search draws, the space that it draws from, and the models that they name."""
