"""What the package knows of a class of models: how it is taught, cut, measured, tuned."""
