"""FLAML: what it found teaches a tree; then FLAML chooses among learners with ours among them.

Run with ``python docs/examples/run.py flaml``: two to five minutes, with ``--quick`` half a minute beside the install.
"""

import pickle
import warnings

from flaml import AutoML
from side_by_side import is_quick, measured, show, spambase
from sklearn.tree import DecisionTreeClassifier

from multihop_search import MultihopSearchClassifier
from multihop_search.integrations import FlamlLearner, from_flaml


def main() -> None:
    X, X_fresh, y, y_fresh = spambase()
    settings = {"task": "classification", "metric": "log_loss", "n_jobs": 1, "seed": 0, "verbose": 0}

    automl = AutoML()
    automl.fit(X, y, time_budget=4 if is_quick() else 20, **settings)
    print(f"FLAML found {automl.best_estimator} with {automl.best_config}")

    search = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=8), from_flaml(automl), n_trials=3 if is_quick() else 30, random_state=0
    )
    search.fit(X, y)
    print(search.verdict_)
    found = measured(automl.predict_proba, len(pickle.dumps(automl.model)), automl.classes_, X_fresh, y_fresh)
    show(found, search.best_estimator_, X_fresh, y_fresh)

    chooser = AutoML()
    chooser.add_learner("multihop", FlamlLearner)
    chooser.fit(X, y, time_budget=6 if is_quick() else 30, estimator_list=["lgbm", "rf", "multihop"], **settings)
    print("\nFLAML's own log-loss of each learner:", chooser.best_loss_per_estimator)
    print("it chose", chooser.best_estimator)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # FLAML's and LightGBM's: they are many
    main()
