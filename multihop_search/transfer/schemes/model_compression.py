"""Model compression: rows without a true label, labelled by the upper model, beside the real rows of a hop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from optuna.distributions import BaseDistribution, CategoricalDistribution

from multihop_search.errors import InvalidSetting
from multihop_search.recipe import Recipe
from multihop_search.transfer.synthetic import GENERATORS

NAMES = (*GENERATORS, "unlabeled")
"""What `generator` may name."""
MOST_ROWS = 50_000
"""Most synthetic rows of one generator in a fold."""


@dataclass(frozen=True)
class ModelCompression(Recipe):
    """Add unlabelled rows to a hop, labelled by the upper model; the real rows keep the targets of the hop's scheme.

    It is a dimension of every hop, not a rival of the schemes. If it stands alone in `schemes`, real rows keep their
    true labels.

    Parameters
    ----------
    multiple : int in [0, 100] or Optuna distribution, default=CategoricalDistribution((0, 5, 10))
        Rows added per training row; at most 50,000 in a fold. Fewer rows are the first of more rows.
    generator : {"auto", "munge", "interpolation", "marginals", "leaves", "unlabeled"} or CategoricalDistribution, \
            default="auto"
        "munge" moves training rows towards their neighbours, "interpolation" puts rows between neighbours, "marginals"
        exchanges values with any rows, "leaves" with rows of the same leaf (see `multihop_search.transfer.synthetic`);
        "unlabeled" takes the `X_unlabeled` of `fit`. "auto" is "munge", or a search of both where there is such a
        table. Every model above a hop labels the rows of all generators that are searched, up to the largest multiple.

    References
    ----------
    Bucila, Caruana and Niculescu-Mizil, "Model compression", KDD 2006. True labels on the real rows: as AutoGluon's
    distillation does.

    Examples
    --------
    >>> print(ModelCompression(multiple=5, generator="munge"))
    ModelCompression(multiple=5, generator=munge)
    """

    multiple: int | BaseDistribution = CategoricalDistribution((0, 5, 10))
    generator: str | BaseDistribution = "auto"

    usual_values: ClassVar[Mapping[str, Any]] = {"multiple": 5, "generator": "munge"}

    def check(self) -> None:
        dist = self.multiple
        values = dist.choices if isinstance(dist, CategoricalDistribution) else (dist,)
        if isinstance(dist, BaseDistribution) and not isinstance(dist, CategoricalDistribution):
            values = (getattr(dist, "low", None), getattr(dist, "high", None))
        if not all(isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100 for value in values):
            raise InvalidSetting(
                "multiple of ModelCompression must be an integer from 0 to 100 or a distribution of them, "
                f"got {dist!r}: pass for instance 5."
            )
        searched = isinstance(self.generator, CategoricalDistribution)
        named = getattr(self.generator, "choices", (self.generator,))
        names = NAMES if searched else ("auto", *NAMES)
        if not all(isinstance(name, str) and name in names for name in named):
            raise InvalidSetting(
                f"generator of ModelCompression must be one of {', '.join(names)}, got {self.generator!r}: choose "
                "among these."
            )

    @property
    def generators(self) -> tuple[str, ...]:
        """The generators that a hop may use."""
        dist = self.generator
        return tuple(map(str, dist.choices)) if isinstance(dist, CategoricalDistribution) else (str(dist),)

    @property
    def most(self) -> int:
        """Largest multiple that a hop may use."""
        multiple: Any = self.multiple
        return int(max(getattr(multiple, "choices", (getattr(multiple, "high", multiple),))))

    def for_rows(self, unlabeled: bool) -> ModelCompression:
        """Return the recipe with its generators named, given whether there are rows without a label.

        Raises
        ------
        InvalidSetting
            If it asks for unlabelled rows and there are none.
        """
        if self.generator == "auto":
            return replace(self, generator=CategoricalDistribution(("munge", "unlabeled")) if unlabeled else "munge")
        if "unlabeled" in self.generators and not unlabeled:
            raise InvalidSetting(
                "generator='unlabeled' of ModelCompression needs rows without labels, fit got none: pass X_unlabeled."
            )
        return self
