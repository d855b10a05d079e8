"""The public names, each from where it is defined: the one list of them, which `__init__.py` reads."""

from multihop_search import experiment as experiment
from multihop_search.executors.ray import RayExecutor as RayExecutor
from multihop_search.executors.serial import SerialExecutor as SerialExecutor
from multihop_search.paths.path import Hop as Hop
from multihop_search.paths.path import Path as Path
from multihop_search.paths.path import Truncate as Truncate
from multihop_search.paths.space import PathSpace as PathSpace
from multihop_search.paths.space import StudentSpace as StudentSpace
from multihop_search.search.classifier import MultihopSearchClassifier as MultihopSearchClassifier
from multihop_search.search.regressor import MultihopSearchRegressor as MultihopSearchRegressor
from multihop_search.studies.mirror import StudyMirror as StudyMirror
from multihop_search.studies.objective import PathObjective as PathObjective
from multihop_search.studies.pruner import OneHopPruner as OneHopPruner
from multihop_search.studies.windowed import WindowedSampler as WindowedSampler
from multihop_search.transfer.schemes import ConfWeight as ConfWeight
from multihop_search.transfer.schemes import HardLabels as HardLabels
from multihop_search.transfer.schemes import KnowledgeDistillation as KnowledgeDistillation
from multihop_search.transfer.schemes import LossCorrection as LossCorrection
from multihop_search.transfer.schemes import ModelCompression as ModelCompression
from multihop_search.transfer.schemes import ProfWeight as ProfWeight
from multihop_search.transfer.schemes import Scheme as Scheme
from multihop_search.transfer.schemes import SRatio as SRatio
from multihop_search.transfer.transfer_set import TeacherOutputs as TeacherOutputs
from multihop_search.transfer.transfer_set import TransferSet as TransferSet
from multihop_search.trees import NearOptimal as NearOptimal
from multihop_search.trees import Optimal as Optimal
from multihop_search.trees import OwnFit as OwnFit
from multihop_search.trees import Refined as Refined
from multihop_search.trees import TreeFit as TreeFit

__version__: str
__all__: list[str]
