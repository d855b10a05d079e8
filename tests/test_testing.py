"""check_scheme: the package's own schemes pass, and each defect is caught in one sentence."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from multihop_search import (
    ConfWeight,
    HardLabels,
    KnowledgeDistillation,
    LossCorrection,
    ProfWeight,
    Scheme,
    SRatio,
    TeacherOutputs,
    TransferSet,
)
from multihop_search.errors import InvalidSetting
from multihop_search.testing import check_scheme

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "scheme",
    [
        KnowledgeDistillation(),
        KnowledgeDistillation(alpha=1.0, temperature=0.01),
        KnowledgeDistillation(alpha=IntDistribution(0, 1), temperature=CategoricalDistribution([1.0, 100.0])),
        HardLabels(),
        LossCorrection(),
        LossCorrection(c=1e-9),
        LossCorrection(c=1e6),
        ConfWeight(),
        ProfWeight(),
        ProfWeight(margin=1.0),
        SRatio(),
        SRatio(beta=1e-6),
    ],
    ids=str,
)
def test_the_schemes_of_the_package_keep_the_contract(scheme: Scheme) -> None:
    check_scheme(scheme)


def test_a_scheme_defined_inside_a_function_keeps_the_contract() -> None:
    @dataclass(frozen=True)
    class Inside(ConfWeight):
        power: float | BaseDistribution = FloatDistribution(1.0, 2.0)

    check_scheme(Inside())


@dataclass(frozen=True)
class Good(Scheme):
    """Keeps the contract, in regression too; each broken scheme differs from it in one thing."""

    share: float | BaseDistribution = FloatDistribution(0.0, 1.0)

    usual_values: ClassVar[Mapping[str, Any]] = {"share": 0.5}

    def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
        return TransferSet(self.label(outputs), np.ones(len(y)))

    def for_regression(self) -> Scheme:
        return self


def test_the_scheme_that_the_broken_ones_differ_from_is_good() -> None:
    check_scheme(Good())
    check_scheme(Good(share=0.25))


def changed(change: Callable[[TransferSet], TransferSet]) -> Scheme:
    """Return a good scheme whose transfer sets are changed."""

    @dataclass(frozen=True)
    class Changed(Good):
        def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
            return change(super().transfer_set(outputs, y))

    return Changed()


def with_targets(change: Callable[[np.ndarray], Any]) -> Scheme:
    return changed(lambda made: replace(made, targets=change(made.targets)))


def with_weights(change: Callable[[np.ndarray], Any]) -> Scheme:
    return changed(lambda made: replace(made, weights=change(made.weights)))


def with_label(label: Callable[[np.ndarray], Any]) -> Scheme:
    """Return a good scheme that labels rows without a true label in another way."""

    @dataclass(frozen=True)
    class Labels(Good):
        def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
            return TransferSet(outputs.predictions.astype(np.float64), np.ones(len(y)))

        def label(self, outputs: TeacherOutputs) -> Any:
            return label(outputs.predictions.astype(np.float64))

    return Labels()


def overriding(**methods: Any) -> Scheme:
    """Return a good scheme with other methods or class attributes."""
    return dataclass(frozen=True)(type("Overriding", (Good,), methods))()


class NoScheme:
    """No scheme at all."""


class Undecorated(Scheme):
    """No dataclass."""


class Inherited(Good):
    """A dataclass only by its parent: its own field would not count."""

    extra: float = 1.0


@dataclass
class Thawed(Scheme):
    """Not frozen."""


@dataclass(frozen=True, eq=False)
class ByIdentity(Scheme):
    """Equal to itself only."""

    share: float | BaseDistribution = FloatDistribution(0.0, 1.0)


@dataclass(frozen=True)
class Incomparable(Good):
    """A field that is left out of comparison."""

    share: float | BaseDistribution = field(default=FloatDistribution(0.0, 1.0), compare=False)


@dataclass(frozen=True)
class Holding(Good):
    """A field that holds anything."""

    held: Any = None


@dataclass(frozen=True)
class Unpicklable(Good):
    def __reduce__(self) -> Any:
        raise TypeError("no pickle")


@dataclass(frozen=True, eq=False)
class Forgetful(Good):
    """Its copies have another share, which nobody sees but its key."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return 0

    def __reduce__(self) -> Any:
        return Forgetful, (0.1,)


@dataclass(frozen=True)
class Restless(Good):
    def usual(self) -> Any:
        return replace(self, share=0.5 if isinstance(self.share, BaseDistribution) else self.share / 2)


@dataclass(frozen=True)
class Strict(Good):
    def check(self) -> None:
        if not isinstance(self.share, BaseDistribution) and self.share > 0.9:
            raise InvalidSetting("share must be at most 0.9")


@dataclass(frozen=True)
class OnlyValues(Good):
    def for_regression(self) -> Any:
        return replace(self, share=self.share) if self.share is None else None


@dataclass(frozen=True)
class Crash(Good):
    def for_regression(self) -> Scheme:
        raise ZeroDivisionError("by zero")


@dataclass(frozen=True)
class Flat(Good):
    """Divides by the spread of the target."""

    def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
        with np.errstate(all="ignore"):
            factor = np.float64(0.0) / np.ptp(y) if outputs.is_regression else 0.0
        return TransferSet(self.label(outputs) + factor, np.ones(len(y)))


@dataclass(frozen=True)
class InPlace(Good):
    def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
        made = self.label(outputs)
        y[:] = 0
        return TransferSet(made, np.ones(len(y)))


@dataclass(frozen=True)
class Random(Good):
    def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
        return TransferSet(self.label(outputs), np.random.default_rng().random(len(y)))


@dataclass(frozen=True)
class SecretlyPlain(Good):
    """Reads what it did not ask for."""

    def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
        return TransferSet(self.label(outputs), outputs.plain[:, 0])  # type: ignore[index]


@dataclass(frozen=True)
class AlwaysStaged(Good):
    def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
        return TransferSet(outputs.stages[10].astype(np.float64), np.ones(len(y)))


@dataclass(frozen=True)
class TwoClasses(Good):
    """Knows two classes only."""

    def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
        return TransferSet(np.eye(2)[y], np.ones(len(y)))


@dataclass(frozen=True)
class LostClass(Good):
    """Divides by the number of rows of each class."""

    def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
        with np.errstate(all="ignore"):
            q = outputs.predictions / (
                0 if outputs.is_regression else np.bincount(y, minlength=outputs.predictions.shape[1])
            )
        return TransferSet((q / q.sum(axis=1, keepdims=True)).astype(np.float64), np.ones(len(y)))


DEFECTS: list[tuple[str, Any, str]] = [
    ("no scheme", NoScheme(), "derived from Scheme"),
    ("the class itself", Good, "derived from Scheme: call the class first"),
    ("no dataclass", Undecorated(), "frozen dataclass"),
    ("an undecorated subclass", Inherited(), "frozen dataclass"),
    ("not frozen", Thawed(), "frozen dataclass"),
    ("usual values of no field", overriding(usual_values={"shore": 0.5}), r"of its fields only, \['shore'\]"),
    ("searched() hides a field", overriding(searched=lambda self: {}), "search the fields that hold a distribution"),
    ("searched() raises", overriding(searched=lambda self: 1 / 0), "tell its searched fields, it raised Zero"),
    ("usual() leaves fields open", overriding(usual=lambda self: self), "hold no distribution after usual"),
    ("usual() makes another class", overriding(usual=lambda self: HardLabels()), "class and fixed fields in usual"),
    ("usual() never rests", Restless(), "stay as it is where nothing is searched"),
    ("resolve() ignores the values", overriding(resolve=lambda self, _: replace(self, share=0.5)), "in resolve"),
    ("resolve() raises", overriding(resolve=lambda self, values: replace(self, shore=1)), "usual values, it raised"),
    ("check() refuses what is drawn", Strict(), r"in check\(\), as its .* it raised InvalidSetting"),
    ("equal by identity", ByIdentity(), "equal a pickled copy of itself"),
    ("a field outside comparison", Incomparable(), "differ where its fields do"),
    ("a hash by identity", overriding(__hash__=object.__hash__), "have the hash of a pickled copy"),
    ("no hash", Holding(held=[1, 2]), "have a hash: .*tuples"),
    ("no key", Holding(held=lambda: None), "have a key: .*plain values"),
    ("a lock in a field", Holding(held=threading.Lock()), "have a key"),
    ("no pickle", Unpicklable(), "be picklable, it raised TypeError: no pickle"),
    ("a pickle that forgets", Forgetful(), "have the key of a pickled copy"),
    ("no transfer set", overriding(transfer_set=Scheme.transfer_set), "NotImplementedError"),
    ("a tuple", changed(lambda made: (made.targets, made.weights)), "return a TransferSet, got tuple"),
    ("a note that is no string", changed(lambda made: replace(made, note=None)), "as a string, got None"),
    ("float32 targets", with_targets(lambda targets: targets.astype(np.float32)), "float64 .* got float32"),
    ("targets of one column", with_targets(lambda targets: targets[:, :1]), r"shape \(40, 2\), got"),
    ("NaN targets", with_targets(lambda targets: targets * np.nan), "finite targets of transfer_set"),
    ("targets that sum to 2", with_targets(lambda targets: np.ones_like(targets)), "sum to 1"),
    ("negative targets", with_targets(lambda targets: 2 * targets - 0.5), r"in \[0, 1\]"),
    ("weights of another shape", with_weights(lambda weights: weights[:, None]), r"shape \(40,\)"),
    ("float32 weights", with_weights(lambda weights: weights.astype(np.float32)), "weights .*float32"),
    ("a list of weights", with_weights(lambda weights: weights.tolist()), "got list"),
    ("infinite weights", with_weights(lambda weights: weights + np.inf), "finite weights"),
    ("negative weights", with_weights(lambda weights: -weights), "at least 0, one is -1"),
    ("soft targets without weights", overriding(needs_weights=False), "set needs_weights=True"),
    ("labels in place of targets", with_label(lambda q: q.argmax(axis=1)), "targets of label"),
    ("labels that are no distribution", with_label(lambda q: q / 2), "targets of label that sum to 1"),
    ("random labels", with_label(lambda q: np.roll(q, np.random.default_rng().integers(1, 40), axis=0)), "same labels"),
    ("an input changed in place", InPlace(), "leave its input as it is"),
    ("random weights", Random(), "make the same weights of the same"),
    ("plain without asking", SecretlyPlain(), "`plain` only with needs_plain=True"),
    ("stages taken for granted", AlwaysStaged(), "soft outputs of 2 classes.* it raised KeyError"),
    ("two classes only", TwoClasses(), "soft outputs of 5 classes"),
    ("a class that has no row", LostClass(), "finite"),
    ("for_regression returns nothing", OnlyValues(), "NoneType must be an instance"),
    ("for_regression raises anything", Crash(), "in for_regression, it raised ZeroDivisionError"),
    ("a constant target", Flat(), "finite"),
]


@pytest.mark.parametrize(("scheme", "sentence"), [defect[1:] for defect in DEFECTS], ids=[name for name, *_ in DEFECTS])
def test_a_defect_is_caught_and_told_in_one_sentence(scheme: Any, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence) as caught:
        check_scheme(scheme)
    assert " must " in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
