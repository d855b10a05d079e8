"""mljar-supervised: its out-of-fold predictions teach a tree.

Run with ``python docs/examples/run.py mljar``: two to five minutes.
"""

import tempfile
import warnings
from pathlib import Path

from side_by_side import measured, show, spambase
from sklearn.tree import DecisionTreeClassifier
from supervised import AutoML

from multihop_search import MultihopSearchClassifier
from multihop_search.integrations import from_mljar


def main() -> None:
    X, X_fresh, y, y_fresh = spambase()
    folder = tempfile.mkdtemp()
    automl = AutoML(
        results_path=folder,
        mode="Perform",
        algorithms=["LightGBM", "Linear", "Random Forest"],
        validation_strategy={"validation_type": "kfold", "k_folds": 3, "shuffle": True, "stratify": True},
        total_time_limit=40,
        explain_level=0,
        golden_features=False,
        features_selection=False,
        n_jobs=1,
        random_state=0,
        verbose=0,
    )
    automl.fit(X, y)
    print(f"mljar found {automl._best_model.get_name()}")

    teacher = from_mljar(automl)
    search = MultihopSearchClassifier(DecisionTreeClassifier(max_depth=8), teacher, n_trials=30, random_state=0)
    search.fit(X, y)
    print(search.verdict_)
    size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.suffix not in (".data", ".csv", ".png"))
    found = measured(automl.predict_proba, size, teacher.classes, X_fresh, y_fresh)
    show(found, search.best_estimator_, X_fresh, y_fresh)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
