"""Small stand-ins for the objects of AutoML tools: what the adapters ask of them, as the released versions answer."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, StandardScaler


def module(name: str, **members: Any) -> ModuleType:
    made = ModuleType(name)
    made.__dict__.update(members)
    return made


def scaled_regression() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1))


class FakeFlamlEstimator(BaseEstimator):
    """As `flaml.automl.model.SKLearnEstimator`: made anew for each configuration, it holds the fitted model."""

    def __init__(self, task: Any = "binary", **config: Any) -> None:
        self._task, self.params, self._model = task, self.config2params(config), None

    def config2params(self, config: dict[str, Any]) -> dict[str, Any]:
        return config.copy()

    @property
    def model(self) -> Any:
        return self._model

    estimator = model

    def fit(self, X: Any, y: Any, budget: Any = None, free_mem_ratio: float = 0, **kwargs: Any) -> float:
        kwargs.pop("is_retrain", None)
        self._model = self.estimator_class(**self.params).fit(X, y, **kwargs)
        return 0.1

    def predict_proba(self, X: Any) -> Any:
        return self._model.predict_proba(X)


class FakeLogistic(FakeFlamlEstimator):
    def config2params(self, config: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in config.items() if name != "n_jobs"}

    def estimator_class(self, **params: Any) -> Any:
        return make_pipeline(StandardScaler(), LogisticRegression(**params))


class FakeTransformer:
    """As `flaml.automl.data.DataTransformer`: it encodes the labels, and of a table keeps the columns that vary."""

    def fit_transform(self, X: Any, y: Any, task: Any) -> tuple[Any, Any]:
        self.label_transformer = LabelEncoder()
        codes = self.label_transformer.fit_transform(y)
        self._cat_columns, self._datetime_columns = [], []
        if hasattr(X, "iloc"):
            self._num_columns = [name for name in X.columns if X[name].nunique() > 1]
        return self.transform(X), codes

    def transform(self, X: Any) -> Any:
        return X[self._num_columns] if hasattr(X, "iloc") else X


class FakeFlaml:
    """As `flaml.AutoML`; it finds a logistic regression."""

    def __init__(self) -> None:
        self.model, self._settings = None, {}
        self._state = SimpleNamespace(learner_classes={"lr": FakeLogistic})

    def fit(self, X: Any, y: Any, *, ensemble: bool = False, task: str = "binary") -> "FakeFlaml":
        self._state.task = SimpleNamespace(name=task)
        self.best_estimator, self.best_config = "lr", {"C": np.float64(0.01), "FLAML_sample_size": 10}
        self._transformer = FakeTransformer()
        rows, codes = self._transformer.fit_transform(X, y, task)
        self.classes_ = self._transformer.label_transformer.classes_
        self.model = FakeLogistic(C=0.01, n_jobs=1)
        self.model.fit(rows, codes)
        if ensemble:
            self.model = SimpleNamespace(model=self.model._model)
        return self

    def predict_proba(self, X: Any) -> Any:
        return self.model.model.predict_proba(self._transformer.transform(X))


class FakePredictor:
    """As `autogluon.tabular.TabularPredictor`."""

    def __init__(self, label: str, problem_type: str | None = None) -> None:
        self.label, self.is_fit, self.problem_type = label, False, problem_type

    def fit(self, data: pd.DataFrame, *, bagging: bool) -> "FakePredictor":
        X, y = data.drop(columns=self.label), data[self.label]
        self.is_fit, self.original_features = True, list(X.columns)
        self.problem_type = "binary" if y.nunique() == 2 else "multiclass"
        self.class_labels = sorted(y.unique())
        self._model = scaled_regression().fit(X, y)
        self._y = y
        self._oof = None
        if bagging:
            values = cross_val_predict(scaled_regression(), X, y, method="predict_proba")
            self._oof = pd.DataFrame(values, index=data.index, columns=self.class_labels)
        return self

    def predict_proba(self, X: pd.DataFrame) -> pd.DataFrame:
        values = self._model.predict_proba(X[self.original_features])
        return pd.DataFrame(values, columns=self.class_labels, index=X.index)

    def predict_proba_oof(self) -> pd.DataFrame:
        assert self._oof is not None, "Predictor must be in bagged mode to get out-of-fold predictions."
        return self._oof

    def load_data_internal(self, data: str, return_X: bool) -> tuple[None, pd.Series]:
        return None, self._y.map({label: code for code, label in enumerate(self.class_labels)})

    def transform_labels(self, labels: pd.Series, inverse: bool) -> pd.Series:
        return labels.map(dict(enumerate(self.class_labels)))


class FakeAbstractModel:
    """As `autogluon.core.models.AbstractModel`."""

    def __init__(self, problem_type: str, **hyperparameters: Any) -> None:
        self.problem_type, self._params = problem_type, hyperparameters

    def _preprocess(self, X: pd.DataFrame, **kwargs: Any) -> pd.DataFrame:
        return X

    def preprocess(self, X: pd.DataFrame, **kwargs: Any) -> Any:
        return self._preprocess(X)

    def _get_model_params(self) -> dict[str, Any]:
        return self._params


class FakeTpot(ClassifierMixin, BaseEstimator):
    """As `tpot.TPOTEstimator`."""

    def fit(self, X: Any, y: Any) -> "FakeTpot":
        self.fitted_pipeline_ = scaled_regression().fit(X, y)
        return self


class FakeMljar(BaseEstimator):
    """As `supervised.AutoML`."""

    def __init__(self, folds: bool = True) -> None:
        self.folds, self._best_model = folds, None

    def fit(self, X: pd.DataFrame, y: pd.Series) -> "FakeMljar":
        classes = sorted(y.unique())
        self._ml_task = "binary_classification" if len(classes) == 2 else "multiclass_classification"
        numeric = pd.api.types.is_numeric_dtype(y)
        self._data_info = {"rows": len(X), "columns": list(X.columns), "target_is_numeric": numeric}
        values = cross_val_predict(scaled_regression(), X, y, method="predict_proba")
        names = [f"prediction_{label}" for label in classes]
        if len(classes) == 2:
            values, names = values[:, 1:], [f"prediction_0_for_{classes[0]}_1_for_{classes[1]}"]
        oof = pd.DataFrame(values, columns=names)
        oof["target"] = y.map({label: code for code, label in enumerate(classes)}).to_numpy()
        oof = oof if self.folds else oof.iloc[::4]
        self._fitted = scaled_regression().fit(X, y)
        self._best_model = SimpleNamespace(get_out_of_folds=lambda: oof)
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        return self._fitted.predict_proba(X)


MODULES = {
    "flaml": module("flaml"),
    "flaml.automl": module("flaml.automl", AutoML=FakeFlaml),
    "flaml.automl.model": module(
        "flaml.automl.model", BaseEstimator=FakeFlamlEstimator, SKLearnEstimator=FakeFlamlEstimator
    ),
    "flaml.automl.task": module("flaml.automl.task"),
    "flaml.automl.task.factory": module("flaml.automl.task.factory", task_factory=lambda name: name),
    "flaml.automl.data": module("flaml.automl.data", DataTransformer=FakeTransformer),
    "flaml.tune": module("flaml.tune", randint=range),
    "autogluon": module("autogluon"),
    "autogluon.tabular": module("autogluon.tabular", TabularPredictor=FakePredictor),
    "autogluon.core": module("autogluon.core"),
    "autogluon.core.models": module("autogluon.core.models", AbstractModel=FakeAbstractModel),
    "tpot": module("tpot", TPOTEstimator=FakeTpot, TPOTEstimatorSteadyState=FakeTpot),
    "supervised": module("supervised", AutoML=FakeMljar),
}


def ours() -> list[str]:
    """Return the loaded modules of ours that import a tool when they are loaded."""
    return [name for name in sys.modules if name.startswith("multihop_search.integrations.")]
