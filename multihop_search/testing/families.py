"""The contract that every family of models keeps, for the tests of a family of your own.

`check_family(MyFamily(), MyModel())` is called in a test. It asks the family about the model before a fit, fits the
model as a search does (plain, on soft labels, beside synthetic rows, on few features), and compares what the family
says of the fitted models with what they predict.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor

from multihop_search.models.base import AnyModel, Count, Family, Route
from multihop_search.models.complexity import complexity
from multihop_search.models.features import count_features
from multihop_search.models.fitting import USUAL, FitOptions, fit
from multihop_search.models.formula import Above, AtMost, Number, Scores, Split
from multihop_search.models.portrayal import Coefficients, OneTree, Shares
from multihop_search.models.registry import registered
from multihop_search.models.settle import settle
from multihop_search.models.training_set import TrainingSet
from multihop_search.models.weights import takes_weights
from multihop_search.threads import thread_limit
from multihop_search.transfer.transfer_set import SyntheticSet, TransferSet

N_ROWS, N_COLUMNS = 150, 4
TOLERANCE = 1e-5


def check_family(family: Family, model: Any) -> None:
    """Raise unless `family` keeps the contract of families for `model`.

    Names of parameters are the model's own. The distributions that are tuned can be fitted at both ends. Stages predict
    what the first members do. A feature without importance plays no part in predictions. Soft labels reach the model,
    and what comes back has the class and the parameters of `model`. Trees, coefficients and nodes are as many as was
    announced. A formula predicts what the model does.

    Parameters
    ----------
    family : Family
        It need not be registered.
    model : estimator
        Of the family, small, not fitted; with parameters under which it learns what one of four columns says from 150
        rows. Its `random_state`, if it has one, is an integer.

    Raises
    ------
    AssertionError
        One sentence: what was expected, and what came.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from multihop_search.models import family_of
    >>> forest = RandomForestClassifier(12, max_depth=3, random_state=0)
    >>> check_family(family_of(forest), forest)
    """
    _expect(isinstance(family, Family), family, "be an instance of a class derived from Family", family)
    _expect(not vars(family), family, "have no state: every process makes its own", vars(family))
    with registered(family), thread_limit(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # models that do not converge on few rows, for instance
        _check_parameters(family, model)
        for n_outputs in (2, 3) if is_classifier(model) else (1,):
            rows = _rows(n_outputs)
            fitted = _fitted(model, rows)
            _check_matches(family, model, fitted)
            _check_size(family, model, fitted, n_outputs)
            _check_features(family, model, fitted, rows)
            _check_stages(family, model, fitted, rows)
            _check_bags(family, model, fitted, rows)
            _check_taught(family, model, rows)
            _check_shown(family, fitted, rows)
        _check_tuned(family, model)


def _expect(holds: Any, family: Any, expected: str, came: Any) -> None:
    if not holds:
        raise AssertionError(f"{type(family).__name__} must {expected}, got {came!r}.")


def _rows(n_outputs: int) -> TrainingSet:
    """Return rows of which column 0 says the class, or the value."""
    X = np.random.default_rng(0).uniform(size=(N_ROWS, N_COLUMNS))
    if n_outputs == 1:
        return TrainingSet(X, 1.0 + 4.0 * X[:, 0], None)
    return TrainingSet(X, (X[:, 0] * n_outputs).astype(int), np.arange(n_outputs))


def _fitted(model: Any, rows: TrainingSet, options: FitOptions = USUAL) -> Any:
    settled, before = settle(model, "model", 0)
    return fit(settled, rows, options).set_params(**before)


def _predictions(model: Any, rows: TrainingSet, X: Any = None) -> np.ndarray:
    """Return what a fitted model predicts, (n_rows, n_outputs)."""
    return AnyModel().staged(model, rows.X if X is None else X, rows.labels, (), {})[0]


def _check_matches(family: Family, model: Any, fitted: Any) -> None:
    _expect(family.matches(model) is True, family, "match the model that it is checked with", family.matches(model))
    _expect(family.matches(fitted) is True, family, "match the fitted model too", family.matches(fitted))
    for other in (DummyClassifier(), DummyRegressor()):
        if type(family).matches is not Family.matches and not isinstance(fitted, type(other)):
            answer = family.matches(other)
            _expect(isinstance(answer, bool), family, "say True or False of any other model", answer)


def _check_parameters(family: Family, model: Any) -> None:
    params = model.get_params(deep=False)
    for name, number in (("members", family.members(model)), ("layers", family.layers(model))):
        _expect(isinstance(number, int) and number >= 0, family, f"return an integer of at least 0 as {name}", number)
    counts = family.row_counts
    sound = isinstance(counts, Mapping) and all(isinstance(least, int) for least in counts.values())
    _expect(sound, family, "have row_counts that map names to integers", counts)
    _expect(all(isinstance(name, str) for name in family.jobs), family, "have names in jobs", family.jobs)
    off = family.without_early_stopping(model)
    _expect(set(off) <= set(params), family, f"turn early stopping off by parameters of {_name(model)}", sorted(off))
    left = family.without_early_stopping(clone(model).set_params(**off))
    _expect(left == {}, family, "have nothing to turn off once early stopping is off", left)
    tuned = family.tuned(model, 1.0)
    _expect(set(tuned) <= set(params), family, f"tune parameters of {_name(model)}", sorted(set(tuned) - set(params)))
    kinds = all(isinstance(distribution, BaseDistribution) for distribution in tuned.values())
    _expect(kinds, family, "tune over distributions of Optuna", tuned)


def _check_tuned(family: Family, model: Any) -> None:
    rows = _rows(2 if is_classifier(model) else 1)
    for name, distribution in family.tuned(model, float(np.var(rows.y))).items():
        ends = distribution.choices if isinstance(distribution, CategoricalDistribution) else _range(distribution)
        for value in (ends[0], ends[-1]):
            try:
                predictions = _predictions(_fitted(clone(model).set_params(**{name: value}), rows), rows)
            except Exception as error:
                raise AssertionError(
                    f"{type(family).__name__} must tune {name} over values that can be fitted, {name}={value!r} "
                    f"raised {type(error).__name__}: {error}"
                ) from error
            _expect(np.isfinite(predictions).all(), family, f"predict finite numbers with {name}={value!r}", "others")


def _range(distribution: Any) -> tuple[Any, Any]:
    return distribution.low, distribution.high


def _check_size(family: Family, model: Any, fitted: Any, n_outputs: int) -> None:
    size, count, nodes, trees = complexity(fitted), family.count(fitted), family.nodes(fitted), family.trees(fitted)
    _expect(np.isfinite(size) and size > 0, family, "give a fitted model a complexity above 0", size)
    _expect(count is None or isinstance(count, Count), family, "return a Count or None as count", count)
    _expect(isinstance(nodes, int) and nodes >= len(trees), family, "count at least a node a tree", nodes)
    planned = family.planned_trees(model, n_outputs)
    fits = planned == 0 or not trees or len(trees) <= planned
    _expect(fits, family, f"fit no more trees than the {planned} that it planned", len(trees))
    if planned and "max_leaf_nodes" in model.get_params(deep=False):
        bound = 5 * planned
        bounded = _fitted(clone(model).set_params(max_leaf_nodes=3), _rows(n_outputs))
        _expect(family.nodes(bounded) <= bound, family, f"keep {bound} nodes", family.nodes(bounded))


def _check_features(family: Family, model: Any, fitted: Any, rows: TrainingSet) -> None:
    importances = family.importances(fitted)
    if importances is None:
        return
    sound = np.shape(importances) == (N_COLUMNS,) and np.isfinite(importances).all() and (importances >= 0).all()
    _expect(sound, family, f"give each of {N_COLUMNS} features an importance of at least 0", importances)
    noise = np.random.default_rng(1).uniform(size=rows.X.shape)
    X = np.where(importances > 0, rows.X, noise)
    same = np.allclose(_predictions(fitted, rows, X), _predictions(fitted, rows), atol=TOLERANCE)
    _expect(same, family, "give an importance of 0 only to features that are not read", importances)
    few = _fitted(model, rows, FitOptions(most_features=1))
    _expect(count_features(few) <= 1, family, "read one feature where no more may be read", count_features(few))


def _check_stages(family: Family, model: Any, fitted: Any, rows: TrainingSet) -> None:
    whole, members = _predictions(fitted, rows), family.members(model)
    if members:
        k = max(1, members // 2)
        short = family.first(fitted, k)
        predictions, stages = family.staged(fitted, rows.X, rows.labels, (k,), {})
        _expect(np.allclose(predictions, whole, atol=TOLERANCE), family, "predict in staged as the model", predictions)
        same = list(stages) == [k] and np.allclose(stages[k], _predictions(short, rows), atol=TOLERANCE)
        _expect(same, family, f"predict in stage {k} as the first {k} members", stages)
        _expect(type(short) is type(fitted), family, "return a model of the same class as first", short)
        _expect(complexity(short) <= complexity(fitted), family, "make a model smaller by first", complexity(short))
        after = np.array_equal(_predictions(fitted, rows), whole)
        _expect(after, family, "leave the model as it is when it is cut", _predictions(fitted, rows))
    layers = family.layers(model)
    if layers:
        sizes = tuple(range(1, layers + 1))
        probes = family.probes(fitted, rows.X, rows.target, None, sizes)
        _expect(tuple(probes) == sizes, family, f"return a probe of each of the layers {sizes}", tuple(probes))
        predictions, stages = family.staged(fitted, rows.X, rows.labels, sizes, probes)
        _expect(np.allclose(predictions, whole, atol=TOLERANCE), family, "predict in staged as the model", predictions)
        sound = tuple(stages) == sizes and all(stage.shape == whole.shape for stage in stages.values())
        _expect(sound, family, f"predict in each of the stages {sizes}", {k: of.shape for k, of in stages.items()})


def _check_bags(family: Family, model: Any, fitted: Any, rows: TrainingSet) -> None:
    if not family.has_bags(model):
        return
    bags = list(family.bags(fitted))
    _expect(len(bags) == family.members(model), family, "yield a bag for each member", len(bags))
    X = np.asarray(rows.X, dtype=np.float32)
    mean = np.mean([predict(X) for predict, _ in bags], axis=0)
    whole = _predictions(fitted, rows, X)
    _expect(np.allclose(mean, whole, atol=1e-3), family, "predict the mean of its members", mean[:3])
    for _, numbers in bags:
        sound = len(numbers) and min(numbers) >= 0 and max(numbers) < N_ROWS
        _expect(sound, family, "name the rows of a bag by their numbers", numbers)


def _check_taught(family: Family, model: Any, rows: TrainingSet) -> None:
    """Teach the opposite of the true labels, or values: softly, and beside synthetic rows."""
    soft = is_classifier(model) and takes_weights(model)
    if rows.labels is None:
        wrong, targets = rows.y.max() - rows.y, (rows.y.max() - rows.y)[:, None] + 1.0
    else:
        n_classes = len(rows.labels)
        route = family.soft_labels(model, n_classes, n_classes)
        _expect(route is None or isinstance(route, Route), family, "return a Route or None as soft_labels", route)
        wrong = (rows.y + 1) % n_classes
        certain = np.eye(n_classes)[wrong]
        targets = 0.8 * certain + 0.2 / n_classes if soft else certain
    whole = TransferSet(targets, np.ones(N_ROWS))
    beside = SyntheticSet(rows.X[:60], targets[:60], np.arange(60))
    for transfer in (whole, TransferSet(targets, np.ones(N_ROWS), synthetic=beside)):
        taught = _fitted(model, TrainingSet(rows.X, rows.y, rows.labels, transfer=transfer))
        _expect(type(taught) is type(model), family, f"return a {_name(model)} that was taught", type(taught).__name__)
        params = {name: value for name, value in taught.get_params().items() if name != "objective"}  # XGBoost's own
        own = {name: value for name, value in model.get_params().items() if name != "objective"}
        _expect(str(params) == str(own), family, "put the user's parameters back", params)
        if rows.labels is None:
            rank = float(np.corrcoef(taught.predict(rows.X), wrong)[0, 1])
            _expect(rank > 0, family, "let a model follow the values that it is taught (correlation above 0)", rank)
            continue
        _expect(list(taught.classes_) == list(rows.labels), family, "keep the classes", taught.classes_)
        labels = taught.predict(rows.X)
        agree = [float(np.mean(labels == rows.labels[codes])) for codes in (wrong, rows.y)]
        _expect(
            agree[0] > agree[1], family, "let a model follow the labels that it is taught, not the true ones", agree
        )


def _check_shown(family: Family, fitted: Any, rows: TrainingSet) -> None:
    portrayal = family.portrayal(fitted)
    is_portrayal = isinstance(portrayal, (OneTree, Coefficients, Shares))
    _expect(is_portrayal, family, "portray a model as OneTree, Coefficients or Shares", portrayal)
    if isinstance(portrayal, Coefficients):
        shape = np.shape(portrayal.weights)
        _expect(shape[1:] == (N_COLUMNS,), family, "portray (n_outputs, n_features) coefficients", shape)
    if not family.has_formula:
        return
    scores = family.formula(fitted, [Number(f"x{place}") for place in range(N_COLUMNS)])
    _expect(isinstance(scores, Scores), family, "return Scores as formula", scores)
    calculated = np.array([_calculated(scores, row) for row in rows.X])
    if rows.labels is None:
        values = np.exp(calculated[:, 0]) if scores.link == "exp" else calculated[:, 0]
        same = np.allclose(values, fitted.predict(rows.X))
    else:
        codes = calculated[:, 0] > 0 if calculated.shape[1] == 1 else calculated.argmax(axis=1)
        same = np.array_equal(rows.labels[codes.astype(int)], fitted.predict(rows.X))
    _expect(same, family, "write a formula that predicts what the model does", calculated[:3])


def _calculated(scores: Scores, row: np.ndarray) -> np.ndarray:
    """Return the scores of a row of numbers, none of which is missing or prepared."""
    places = {f"x{place}": float(number) for place, number in enumerate(row)}
    total = np.array(scores.start)
    for tree in scores.trees:
        node = tree.root
        while isinstance(node, Split):
            test = node.test
            assert isinstance(test, (AtMost, Above))
            is_low = places[test.feature.column] <= test.bound
            node = node.yes if is_low == isinstance(test, AtMost) else node.no
        total[tree.first : tree.first + len(node.values)] += node.values
    if scores.weights:
        total += np.array(scores.weights) @ [places[feature.column] for feature in scores.features]
    return np.asarray(total / scores.divisor)


def _name(model: Any) -> str:
    return type(model).__name__
