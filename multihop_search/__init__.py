"""A better small model through the best path from a complex one, and an honest verdict on what it gained.

Public names are loaded when first used: importing the package imports neither Ray nor any plotting library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multihop_search.executors.ray import RayExecutor
    from multihop_search.executors.serial import SerialExecutor
    from multihop_search.paths.path import Hop, Path, Truncate
    from multihop_search.paths.space import PathSpace, StudentSpace
    from multihop_search.search.classifier import MultihopSearchClassifier
    from multihop_search.search.regressor import MultihopSearchRegressor
    from multihop_search.studies.mirror import StudyMirror
    from multihop_search.studies.objective import PathObjective
    from multihop_search.studies.pruner import OneHopPruner
    from multihop_search.studies.windowed import WindowedSampler
    from multihop_search.transfer.schemes import (
        ConfWeight,
        HardLabels,
        KnowledgeDistillation,
        LossCorrection,
        ModelCompression,
        ProfWeight,
        Scheme,
        SRatio,
    )
    from multihop_search.transfer.transfer_set import TeacherOutputs, TransferSet
    from multihop_search.trees import NearOptimal, Optimal, OwnFit, Refined, TreeFit

__version__ = "0.1.0"

_HOME = {
    "MultihopSearchClassifier": "search.classifier",
    "MultihopSearchRegressor": "search.regressor",
    "PathObjective": "studies.objective",
    "OneHopPruner": "studies.pruner",
    "WindowedSampler": "studies.windowed",
    "StudyMirror": "studies.mirror",
    "RayExecutor": "executors.ray",
    "SerialExecutor": "executors.serial",
    "KnowledgeDistillation": "transfer.schemes",
    "HardLabels": "transfer.schemes",
    "ConfWeight": "transfer.schemes",
    "LossCorrection": "transfer.schemes",
    "ProfWeight": "transfer.schemes",
    "ModelCompression": "transfer.schemes",
    "SRatio": "transfer.schemes",
    "Scheme": "transfer.schemes",
    "NearOptimal": "trees",
    "Optimal": "trees",
    "OwnFit": "trees",
    "Refined": "trees",
    "TreeFit": "trees",
    "TeacherOutputs": "transfer.transfer_set",
    "TransferSet": "transfer.transfer_set",
    "PathSpace": "paths.space",
    "StudentSpace": "paths.space",
    "Path": "paths.path",
    "Hop": "paths.path",
    "Truncate": "paths.path",
}

__all__ = [
    "ConfWeight",
    "HardLabels",
    "Hop",
    "KnowledgeDistillation",
    "LossCorrection",
    "ModelCompression",
    "MultihopSearchClassifier",
    "MultihopSearchRegressor",
    "NearOptimal",
    "OneHopPruner",
    "Optimal",
    "OwnFit",
    "Path",
    "PathObjective",
    "PathSpace",
    "ProfWeight",
    "RayExecutor",
    "Refined",
    "SRatio",
    "Scheme",
    "SerialExecutor",
    "StudentSpace",
    "StudyMirror",
    "TeacherOutputs",
    "TransferSet",
    "TreeFit",
    "Truncate",
    "WindowedSampler",
]


def __getattr__(name: str) -> Any:
    if name == "experiment":  # a part of its own: experiment.run_experiment, experiment.write_report
        return import_module("multihop_search.experiment")
    if name in _HOME:
        return getattr(import_module(f"multihop_search.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
