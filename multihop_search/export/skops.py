"""Models as skops files: like a pickle, but loading one runs no code that the reader has not trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path as File
from typing import Any

from multihop_search.errors import InvalidData

LINKS = ("HalfLogitLink", "IdentityLink", "Interval", "LogLink", "LogitLink", "MultinomialLogit")
LOSSES = (
    "AbsoluteError",
    "ExponentialLoss",
    "HalfBinomialLoss",
    "HalfGammaLoss",
    "HalfMultinomialLoss",
    "HalfPoissonLoss",
    "HalfSquaredError",
    "HuberLoss",
    "PinballLoss",
)
INSIDE = {
    "collections.OrderedDict",
    "numpy.core.defchararray.replace",
    "numpy.dtype",
    "numpy.strings.replace",
    *(f"sklearn._loss.link.{name}" for name in LINKS),
    *(f"sklearn._loss.loss.{name}" for name in LOSSES),
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.pipeline.Pipeline",
    "sklearn.pipeline.Pipeline.transform",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
}
"""What stands inside fitted models of scikit-learn and `paths.preparation`, beside the types that skops knows; none
runs code of the file."""


def write_skops(model: Any, file: File) -> None:
    """Write a fitted estimator or Pipeline to `file`."""
    import skops.io

    skops.io.dump(model, file)


def read_skops(file: File, trusted: Sequence[str] = ()) -> Any:
    """Read a model of scikit-learn, alone or behind preparation, that `write_skops` wrote.

    Parameters
    ----------
    file : path
        The file.
    trusted : sequence of str, default=()
        Names of further types that may be made, for instance ``"lightgbm.sklearn.LGBMClassifier"``.

    Raises
    ------
    InvalidData
        If the file is no skops file, or holds a type or function that is neither scikit-learn's nor in `trusted`.
    """
    import skops.io

    types = _in_words(file, lambda: skops.io.get_untrusted_types(file=file))
    foreign = sorted(name for name in types if name not in {*INSIDE, *trusted})
    if foreign:
        raise InvalidData(
            f"a skops file must hold types of scikit-learn only, {str(file)!r} also holds {', '.join(foreign)}: if you "
            f"know them and trust who wrote the file, pass trusted={foreign!r}."
        )
    return _in_words(file, lambda: skops.io.load(file, trusted=types))


def _in_words(file: File, read: Callable[[], Any]) -> Any:
    """Call `read`; whatever it meets in a file that was damaged becomes one sentence."""
    try:
        return read()
    except Exception as error:
        raise InvalidData(f"{str(file)!r} must be a skops file, it is not: {error!r}.") from error
