"""TPOT: the pipeline that it found teaches a tree.

Run with ``python docs/examples/run.py tpot``: two to five minutes.
"""

import pickle
import warnings

from side_by_side import measured, show, spambase
from sklearn.tree import DecisionTreeClassifier
from tpot import TPOTClassifier
from tpot.config import get_search_space

from multihop_search import MultihopSearchClassifier
from multihop_search.integrations import from_tpot

LEARNERS = ["RandomForestClassifier", "ExtraTreesClassifier", "LGBMClassifier", "LogisticRegression"]


def main() -> None:
    X, X_fresh, y, y_fresh = spambase()
    sizes = {"n_samples": len(X), "n_features": X.shape[1], "n_classes": 2}
    automl = TPOTClassifier(
        search_space=get_search_space(LEARNERS, random_state=0, **sizes),
        scorers=["neg_log_loss"],
        scorers_weights=[1],
        population_size=8,
        generations=3,
        max_time_mins=1,
        n_jobs=1,
        random_state=0,
        verbose=0,
    )
    automl.fit(X, y)
    print(f"TPOT found {automl.fitted_pipeline_}")

    search = MultihopSearchClassifier(
        DecisionTreeClassifier(max_depth=8), from_tpot(automl), n_trials=30, random_state=0
    )
    search.fit(X, y)
    print(search.verdict_)
    size = len(pickle.dumps(automl.fitted_pipeline_))
    show(
        measured(automl.predict_proba, size, automl.classes_, X_fresh, y_fresh),
        search.best_estimator_,
        X_fresh,
        y_fresh,
    )


if __name__ == "__main__":  # TPOT starts processes, which import this file
    warnings.simplefilter("ignore")
    main()
