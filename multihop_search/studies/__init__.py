"""For an Optuna study of the user's own: the objective, a pruner, a sampler, a copy in a storage."""
