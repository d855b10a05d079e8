"""The contract that every scheme keeps, for the tests of a scheme of your own.

`check_scheme(MyScheme())` is called in a test. It first looks at the object (a frozen value that a search can copy,
compare and send to a worker), then at its fields (`check`, `searched`, `usual` and `resolve` agree), then at what it
makes: `transfer_set` and `label` are called on small problems as the engine calls them.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution

from multihop_search.errors import InvalidSetting, UnsuitableModel
from multihop_search.keys import digest
from multihop_search.transfer.schemes import Scheme
from multihop_search.transfer.transfer_set import TeacherOutputs, TransferSet

N_ROWS = 40
TOLERANCE = 1e-5
"""How far the sum of a distribution may be from 1: the upper model's are float32."""


def check_scheme(scheme: Scheme) -> None:
    """Raise unless `scheme` keeps the contract of schemes.

    The scheme is a frozen dataclass derived from `Scheme`; equal ones have equal hashes and keys, different ones do not
    compare equal, and it can be sent to a worker. Its `check`, `searched`, `usual` and `resolve` agree. At its usual
    values and at the ends of its distributions, `transfer_set` and `label` make finite float64 arrays of the right
    shapes, distributions and weights of at least 0, the same for the same input, and leave their input as it is. Where
    `for_regression` gives a scheme, the same holds for values.

    Parameters
    ----------
    scheme : Scheme
        Its fields may hold values or distributions.

    Raises
    ------
    AssertionError
        One sentence: what was expected, and what came.

    Examples
    --------
    >>> from multihop_search import KnowledgeDistillation
    >>> check_scheme(KnowledgeDistillation())
    """
    _check_in(scheme, _class_cases(type(scheme)))
    try:
        served = scheme.for_regression()
    except (UnsuitableModel, InvalidSetting):  # it does not serve regression, and says so
        return
    except Exception as error:
        raise _failure(
            scheme, f"return a scheme or raise UnsuitableModel in for_regression, {_raised(error)}"
        ) from error
    _check_in(served, _value_cases(type(served)))


@dataclass(frozen=True)
class _Case:
    """What an upper model says of some rows."""

    words: str
    outputs: TeacherOutputs
    y: np.ndarray

    @property
    def arrays(self) -> list[np.ndarray]:
        plain = () if self.outputs.plain is None else (self.outputs.plain,)
        return [self.y, self.outputs.predictions, *self.outputs.stages.values(), *plain]

    def copied(self, *, writeable: bool) -> _Case:
        copy: _Case = pickle.loads(pickle.dumps(self))
        for array in copy.arrays:
            array.flags.writeable = writeable
        return copy


def _failure(scheme: Any, expected: str) -> AssertionError:
    return AssertionError(f"{type(scheme).__name__} must {expected}.")


def _expect(holds: Any, scheme: Any, expected: str) -> None:
    if not holds:
        raise _failure(scheme, expected)


def _raised(error: Exception) -> str:
    return f"it raised {type(error).__name__}: {str(error).partition(chr(10))[0].rstrip('.')}"


def _attempt(scheme: Any, expected: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        raise _failure(scheme, f"{expected}, {_raised(error)}") from error


def _check_in(scheme: Any, cases: Iterator[_Case]) -> None:
    _check_class(scheme)
    _check_value(scheme)
    settings = _settings(scheme)
    for setting in settings:
        _check_value(setting)
    _check_apart(settings)
    for case, setting in product(cases, settings):
        _check_transfer(setting, case)


def _check_class(scheme: Any) -> None:
    _expect(isinstance(scheme, Scheme), scheme, "be an instance of a class derived from Scheme: call the class first")
    own = is_dataclass(scheme) and "__dataclass_params__" in vars(type(scheme))
    frozen = own and type(scheme).__dataclass_params__.frozen
    _expect(frozen, scheme, "be a frozen dataclass, it is none: put @dataclass(frozen=True) above the class")
    names = {field.name for field in fields(scheme)}
    unknown = sorted(set(scheme.usual_values) - names)
    _expect(not unknown, scheme, f"have usual_values of its fields only, {unknown} are none: leave them out")


def _held(scheme: Any) -> dict[str, Any]:
    return {field.name: getattr(scheme, field.name) for field in fields(scheme)}


def _ends(distribution: Any) -> tuple[Any, ...]:
    if isinstance(distribution, CategoricalDistribution):
        return tuple(distribution.choices)
    return (distribution.low, distribution.high)


def _settings(scheme: Any) -> list[Any]:
    """Return the scheme at its usual values, and with each field at the ends of its distribution."""
    expected = {name: value for name, value in _held(scheme).items() if isinstance(value, BaseDistribution)}
    searched = _attempt(scheme, "tell its searched fields", scheme.searched)
    _expect(searched == expected, scheme, f"search the fields that hold a distribution, {sorted(expected)}, not others")
    usual = _attempt(scheme, "have usual values", scheme.usual)
    _check_resolved(scheme, usual, {name: getattr(usual, name, None) for name in searched}, "usual")
    settings = [usual]
    for name, distribution in searched.items():
        for value in _ends(distribution):
            values = {other: getattr(usual, other) for other in searched} | {name: value}
            settings.append(_attempt(scheme, f"resolve {name}={value!r}", partial(scheme.resolve, values)))
            _check_resolved(scheme, settings[-1], values, "resolve")
    return settings


def _check_resolved(scheme: Any, resolved: Any, values: dict[str, Any], method: str) -> None:
    same = type(resolved) is type(scheme) and _held(resolved) == {**_held(scheme), **values}
    open_fields = same and any(isinstance(value, BaseDistribution) for value in _held(resolved).values())
    _expect(same, scheme, f"keep class and fixed fields in {method}() and set the searched ones, got {resolved}")
    _expect(not open_fields, scheme, f"hold no distribution after {method}(), got {resolved}")
    again = _attempt(scheme, "have usual values of its usual values", resolved.usual)
    _expect(again == resolved, scheme, f"stay as it is where nothing is searched, usual() made {again} of {resolved}")


def _check_value(scheme: Any) -> None:
    """Check what a search does with the object itself."""
    _attempt(scheme, f"take {scheme} in check(), as its fields and distributions allow it", scheme.check)
    key = _attempt(scheme, "have a key: its fields must hold plain values or distributions", lambda: digest(scheme))
    number = _attempt(scheme, "have a hash: its fields must hold tuples, not lists", lambda: hash(scheme))
    copy = _attempt(scheme, "be picklable", partial(_pickled_copy, scheme))
    _expect(copy == scheme, scheme, "equal a pickled copy of itself: compare by fields, as a dataclass does")
    _expect(hash(copy) == number, scheme, "have the hash of a pickled copy of itself: hash the fields")
    _expect(digest(copy) == key, scheme, "have the key of a pickled copy of itself: hold plain values")


def _pickled_copy(scheme: Any) -> Any:
    """Return a copy by way of a pickle; the class itself may stand anywhere, Ray sends it along by value."""
    buffer, kind = io.BytesIO(), type(scheme)

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing: Any) -> str | None:
            return "class" if thing is kind else None

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, _: Any) -> Any:
            return kind

    Pickler(buffer).dump(scheme)
    buffer.seek(0)
    return Unpickler(buffer).load()


def _check_apart(settings: list[Any]) -> None:
    for one, other in product(settings, settings):
        if _held(one) != _held(other):
            apart = one != other and digest(one) != digest(other)
            _expect(apart, one, f"differ where its fields do, {one} equals {other}: leave no field out of comparison")


def _check_transfer(scheme: Any, case: _Case) -> None:
    given = case.copied(writeable=True)
    transfer = _made(scheme, given)
    same = all(np.array_equal(left, right) for left, right in zip(case.arrays, given.arrays, strict=True))
    _expect(same, scheme, "leave its input as it is, it changed an array in place: work on a copy")
    again = _made(_pickled_copy(scheme), case.copied(writeable=False))
    for what, first, second in zip(("targets", "weights", "labels"), transfer, again, strict=True):
        same = np.array_equal(first, second)
        _expect(same, scheme, f"make the same {what} of the same {case.words}, they differ: draw no random numbers")


def _made(scheme: Any, case: _Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return targets, weights and labels of a case, checked."""
    wanted = f"make a transfer set of {case.words} (read-only arrays at times, `plain` only with needs_plain=True)"
    result = _attempt(scheme, wanted, lambda: scheme.transfer_set(case.outputs, case.y))
    _expect(isinstance(result, TransferSet), scheme, f"return a TransferSet, got {type(result).__name__}")
    _expect(isinstance(result.note, str), scheme, f"note what fell back as a string, got {result.note!r}")
    _check_targets(scheme, "transfer_set", result.targets, case)
    _check_weights(scheme, result, case)
    rows = replace(case.outputs, plain=None)
    labels = _attempt(scheme, f"label {case.words} without true labels", lambda: scheme.label(rows))
    _check_targets(scheme, "label", labels, case)
    return result.targets, result.weights, labels


def _check_array(scheme: Any, what: str, array: Any, shape: tuple[int, ...]) -> None:
    kind = f"{getattr(array, 'dtype', type(array).__name__)} of shape {np.shape(array)}"
    right = isinstance(array, np.ndarray) and array.dtype == np.float64 and array.shape == shape
    _expect(right, scheme, f"return {what} as a float64 array of shape {shape}, got {kind}")
    _expect(np.isfinite(array).all(), scheme, f"return finite {what}, some are NaN or infinite")


def _check_targets(scheme: Any, method: str, targets: Any, case: _Case) -> None:
    _check_array(scheme, f"targets of {method}", targets, case.outputs.predictions.shape)
    if case.outputs.is_regression:
        return
    inside = (targets >= 0).all() and (targets <= 1 + TOLERANCE).all()
    _expect(
        inside, scheme, f"return targets of {method} in [0, 1], they go from {targets.min():g} to {targets.max():g}"
    )
    off = np.abs(targets.sum(axis=1) - 1).max()
    _expect(off <= TOLERANCE, scheme, f"return targets of {method} that sum to 1 in each row, one is off by {off:.3g}")


def _check_weights(scheme: Any, transfer: TransferSet, case: _Case) -> None:
    _check_array(scheme, "weights of transfer_set", transfer.weights, (len(case.y),))
    _expect((transfer.weights >= 0).all(), scheme, f"return weights of at least 0, one is {transfer.weights.min()}")
    if not scheme.needs_weights and not case.outputs.is_regression:
        hard = transfer.is_hard and np.ptp(transfer.weights) == 0
        _expect(hard, scheme, "set needs_weights=True, since it returns soft targets or weights that differ")


def _outputs(predictions: np.ndarray, rng: np.random.Generator, kind: Any, *, staged: bool) -> TeacherOutputs:
    def worse() -> np.ndarray:
        return np.asarray((predictions + predictions[rng.permutation(len(predictions))]) / 2, dtype=np.float32)

    stages = {k: worse() for k in (10, 30)} if staged else {}
    plain = worse() if getattr(kind, "needs_plain", False) else None
    return TeacherOutputs(predictions.astype(np.float32), stages, plain=plain)


def _class_cases(kind: Any) -> Iterator[_Case]:
    """Yield problems of 2 and 5 classes, with soft and hard outputs, with a class that no row has, with stages."""
    for (n_classes, n_present), hard, staged in product(((2, 2), (5, 5), (5, 4)), (False, True), (False, True)):
        rng = np.random.default_rng(0)
        y = rng.permutation(np.arange(N_ROWS) % n_present)
        q = np.zeros((N_ROWS, n_classes))
        q[:, :n_present] = (rng.dirichlet(np.full(n_present, 0.5), N_ROWS) + np.eye(n_present)[y]) / 2
        q[:3] = np.eye(n_classes)[(y[:3] + 1) % n_present]  # certain, and wrong
        if hard:
            q = np.eye(n_classes)[q.argmax(axis=1)]
        missing = ", one of which has no row" if n_present < n_classes else ""
        words = (
            f"{'hard' if hard else 'soft'} outputs of {n_classes} classes,{missing} {'with' if staged else 'no'} stages"
        )
        yield _Case(words, _outputs(q, rng, kind, staged=staged), y)


def _value_cases(kind: Any) -> Iterator[_Case]:
    """Yield values of several units, and a constant target."""
    for scale, staged in product((1.0, 1e6, 0.0), (False, True)):
        rng = np.random.default_rng(0)
        y = 0.1 + scale * rng.normal(size=N_ROWS)
        predictions = (y + max(scale, 1.0) * rng.normal(size=N_ROWS) / 2)[:, None]
        words = f"values of size {scale:g}" if scale else "values of a constant target"
        yield _Case(words, _outputs(predictions, rng, kind, staged=staged), y)
