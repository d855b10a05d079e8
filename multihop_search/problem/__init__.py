"""The problem: data, folds and scores."""
