"""The schemes: one file each. A scheme of your own is a frozen dataclass derived from `Scheme`, passed in as it is."""

from multihop_search.recipe import Recipe
from multihop_search.transfer.schemes.base import Scheme
from multihop_search.transfer.schemes.conf_weight import ConfWeight
from multihop_search.transfer.schemes.hard_labels import HardLabels
from multihop_search.transfer.schemes.knowledge_distillation import KnowledgeDistillation
from multihop_search.transfer.schemes.loss_correction import LossCorrection
from multihop_search.transfer.schemes.model_compression import ModelCompression
from multihop_search.transfer.schemes.prof_weight import ProfWeight
from multihop_search.transfer.schemes.s_ratio import SRatio

__all__ = [
    "SCHEMES",
    "ConfWeight",
    "HardLabels",
    "KnowledgeDistillation",
    "LossCorrection",
    "ModelCompression",
    "ProfWeight",
    "Recipe",
    "SRatio",
    "Scheme",
    "default_schemes",
]

SCHEMES = tuple(
    name
    for name, kind in list(globals().items())
    if isinstance(kind, type) and issubclass(kind, Recipe) and kind not in (Recipe, Scheme)
)
"""Names of what the argument `schemes` may hold."""


def default_schemes(*, regression: bool = False) -> tuple[Scheme, ...]:
    """Return the schemes that `schemes="auto"` searches, beside `ModelCompression`.

    `HardLabels` stands in for them where a student takes no weights: trees taught by it were worse than plain ones on
    fresh rows (docs/decisions/0013).
    """
    if regression:
        return (KnowledgeDistillation().for_regression(),)
    return (KnowledgeDistillation(), ConfWeight(), SRatio())
