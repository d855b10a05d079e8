"""The schemes: one file each. A scheme of your own is a frozen dataclass derived from `Scheme`, passed in as it is."""

from multihop_search.transfer.schemes.base import Scheme
from multihop_search.transfer.schemes.conf_weight import ConfWeight
from multihop_search.transfer.schemes.hard_labels import HardLabels
from multihop_search.transfer.schemes.knowledge_distillation import KnowledgeDistillation

__all__ = ["ConfWeight", "HardLabels", "KnowledgeDistillation", "Scheme", "default_schemes"]


def default_schemes() -> tuple[Scheme, ...]:
    """Return the schemes that `schemes="auto"` searches."""
    return (KnowledgeDistillation(), HardLabels(), ConfWeight())
