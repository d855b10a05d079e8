"""AutoGluon: its bagged predictions teach a tree; then AutoGluon chooses among models with ours among them.

Run with ``python docs/examples/run.py autogluon``: two to five minutes, with ``--quick`` half a minute beside the
install.
"""

import tempfile
import warnings

import pandas as pd
from autogluon.tabular import TabularPredictor
from side_by_side import is_quick, measured, show, spambase
from sklearn.tree import DecisionTreeClassifier

from multihop_search import MultihopSearchClassifier
from multihop_search.integrations import AutogluonModel, from_autogluon

ONE_BY_ONE = {"fold_fitting_strategy": "sequential_local"}


def predictor_of(data: pd.DataFrame, hyperparameters: dict, **settings: object) -> TabularPredictor:
    predictor = TabularPredictor("target", eval_metric="log_loss", path=tempfile.mkdtemp(), verbosity=0)
    return predictor.fit(data, hyperparameters=hyperparameters, num_cpus=1, **settings)


def main() -> None:
    X, X_fresh, y, y_fresh = spambase()
    data = X.assign(target=y)

    bagged = {"num_bag_folds": 5, "ag_args_ensemble": ONE_BY_ONE}
    predictor = predictor_of(data, {"GBM": {}, "RF": {"n_estimators": 100}, "LR": {}}, time_limit=60, **bagged)
    predictor.persist()
    print(f"AutoGluon found {predictor.model_best}")

    teacher = from_autogluon(predictor)
    n_trials = 3 if is_quick() else 30
    search = MultihopSearchClassifier(DecisionTreeClassifier(max_depth=8), teacher, n_trials=n_trials, random_state=0)
    search.fit(X, y)
    print(search.verdict_)
    found = measured(predictor.predict_proba, predictor.disk_usage(), predictor.class_labels, X_fresh, y_fresh)
    show(found, search.best_estimator_, X_fresh, y_fresh)

    ours = {"max_depth": 6, "n_trials": 3} if is_quick() else {"max_depth": 6}
    chooser = predictor_of(data, {"GBM": {}, "LR": {}, AutogluonModel: ours}, time_limit=60)
    print("\nAutoGluon's leaderboard:")
    print(chooser.leaderboard(silent=True)[["model", "score_val", "pred_time_val", "fit_time"]].to_string(index=False))
    print("it chose", chooser.model_best)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # AutoGluon's and LightGBM's: they are many
    main()
