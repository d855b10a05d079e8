"""The engine: a trial's way from its number to its record.

In the order in which a trial passes through the files:

1. `plan`: what its number settles - student, hops, who draws the rest; `study` holds Optuna's trials.
2. `loop`: asks it, submits its folds, stops it early, tells it; until then it is a `pending_trial`.
3. `prefixes`: the future of each fold; what its path shares with others is computed once.
4. `crossfit`: an `upper_model` above the last hop predicts the training rows out of fold (a forest `out_of_bag`).
5. `soft_labels`: what the upper model teaches by the hop's scheme, on `synthetic_rows` too; `fit` is the only place
   where models are fitted.
6. `student`: the last model of the path is fitted and scored on the held-out rows of the fold.
7. `early_stopping`: how far the path is behind the best one-hop path after the folds that it has.
8. `record`: what the trial measured. `log` keeps what its path did, `retirement` and `patience` count how trials end.
9. `refit`: the chosen path on all rows, by the same futures.

`memo` is what a process keeps between fits of one fold.
"""
