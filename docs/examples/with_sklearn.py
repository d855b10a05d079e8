"""scikit-learn alone: the best of a randomised search teaches a tree, by a clone in each fold or by its predictions.

Run with ``python docs/examples/run.py sklearn``: two to five minutes.
"""

import pickle

from scipy.stats import loguniform, randint
from side_by_side import measured, show, spambase
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import RandomizedSearchCV, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from multihop_search import MultihopSearchClassifier
from multihop_search.integrations import from_predictions


def main() -> None:
    X, X_fresh, y, y_fresh = spambase()
    space = {"learning_rate": loguniform(0.03, 0.3), "max_iter": randint(50, 200), "max_leaf_nodes": randint(8, 40)}
    automl = RandomizedSearchCV(
        HistGradientBoostingClassifier(random_state=0), space, n_iter=8, cv=3, scoring="neg_log_loss", random_state=0
    ).fit(X, y)
    best = automl.best_estimator_
    print(f"the randomised search found {best}")

    student = DecisionTreeClassifier(max_depth=8)
    search = MultihopSearchClassifier(student, best, n_trials=30, random_state=0).fit(X, y)
    print(search.verdict_)
    found = measured(best.predict_proba, len(pickle.dumps(best)), best.classes_, X_fresh, y_fresh)
    show(found, search.best_estimator_, X_fresh, y_fresh)

    oof = cross_val_predict(best, X, y, cv=5, method="predict_proba")  # of a model that need not be here at all
    given = MultihopSearchClassifier(student, from_predictions(oof, y=y), n_trials=30, random_state=0).fit(X, y)
    print("\nby its out-of-fold predictions alone:", given.verdict_)


if __name__ == "__main__":
    main()
