"""The errors and warnings of the package, drawn as a tree.

::

    MultihopError
    |-- InvalidSetting      (ValueError)    an argument of the search is wrong
    |   `-- FileFailed      (OSError)       a file or folder that was asked for cannot be written
    |-- InvalidData         (ValueError)    X, y, weights, groups or folds cannot be used
    |   `-- InvalidKind     (TypeError)     X holds things that are no data at all
    |-- UnsuitableModel     (TypeError)     a student, teacher or intermediate lacks what its place needs
    |-- SearchFailed        (RuntimeError)  nothing could be learned from the trials
    |-- WorkerLost          (RuntimeError)  a hop killed the process that ran it: costs its trial
    |-- HopTimeout          (TimeoutError)  a hop ran longer than hop_timeout: costs its trial
    |-- ClusterLost         (ConnectionError)  what runs the hops cannot be reached: ends the search
    |-- MissingTool         (ImportError)   an optional tool is not installed
    `-- CheckpointFailed    (OSError)       the log of a search cannot be used: ends the search

    MultihopWarning         (UserWarning)
    |-- RareClassWarning                    a class is too small for the folds
    |-- UnservedSchemeWarning               a default scheme that the student cannot take was left out
    |-- DefaultLeftOutWarning               a default teacher or intermediate cannot fit the rows and is left out
    |-- FailedTrialsWarning                 some trials failed
    |-- StudentLeftOutWarning               no trial of a student is within the budget
    |-- SerialSearchWarning                 the search is so small that it runs in this process
    |-- SmallWindowWarning                  fewer trials are under way than there are workers
    |-- MirrorWarning                       some trials are not in the study that mirrors the search
    |-- StoppedWarning                      a signal ended the search before its last trial
    |-- RetiredWarning                      a scheme or an intermediate failed so often that it is not tried again
    |-- RefitWarning                        a chosen path could not be fitted on all rows: the next best is taken
    `-- NewLogWarning                       the logs in the checkpoint folder are of other searches

Each error is one sentence: what was expected, what came, what to do. Each also derives from the built-in that a
caller would catch.
"""

from __future__ import annotations

import sys
import warnings

from multihop_search.visible import visible


class MultihopError(Exception):
    """Base of every error that this package raises on purpose."""

    def __str__(self) -> str:
        return visible(super().__str__())


class InvalidSetting(MultihopError, ValueError):
    """An argument of the search has a value that it cannot have."""


class FileFailed(InvalidSetting, OSError):
    """A file or folder that was asked for cannot be written; `errno` is the system's number, where it gave one."""


class InvalidData(MultihopError, ValueError):
    """The rows, the target, the weights, the groups or the folds cannot be used."""


class InvalidKind(InvalidData, TypeError):
    """The rows hold things of a kind that no model takes, or come in a form that cannot be read."""


class UnsuitableModel(MultihopError, TypeError):
    """A student, teacher or intermediate lacks a method that its place on the path needs."""


class SearchFailed(MultihopError, RuntimeError):
    """The search ended without a student; the first cause is chained."""


class WorkerLost(MultihopError, RuntimeError):
    """The process that ran a hop died, again after each retry; the trial that needs the hop fails."""


class HopTimeout(MultihopError, TimeoutError):
    """A hop ran longer than `hop_timeout`; the trials that need it fail."""


class ClusterLost(MultihopError, ConnectionError):
    """What runs the hops cannot be reached or used; the search ends."""


class MissingTool(MultihopError, ImportError):
    """A tool that a part of this package works with is not installed."""


class CheckpointFailed(MultihopError, OSError):
    """The log of a search cannot be written, read or resumed."""


class MultihopWarning(UserWarning):
    """Base of every warning that this package gives."""


class RareClassWarning(MultihopWarning):
    """A class has fewer rows than there are folds, so some folds lack it."""


class UnservedSchemeWarning(MultihopWarning):
    """A scheme of the default list was left out because the student cannot take what it passes on."""


class DefaultLeftOutWarning(MultihopWarning):
    """A default teacher or intermediate, or a column for all of them, was left out because it cannot be used."""


class FailedTrialsWarning(MultihopWarning):
    """Some trials failed; `results_["reason"]` says why."""


class StudentLeftOutWarning(MultihopWarning):
    """A student has no trial within the budget and is left out of the choice."""


class ScoreWarning(MultihopWarning):
    """The score takes no weights, or cannot be taken on the rows of some fold."""


class SerialSearchWarning(MultihopWarning):
    """Workers were asked for, but starting them would take longer than the search."""


class SmallWindowWarning(MultihopWarning):
    """`n_ahead` is below the number of workers, so some will wait."""


class SeenRowsWarning(MultihopWarning):
    """Rows that judge, or rows of their groups, were also trained on, so no gain is proven."""


class MirrorWarning(MultihopWarning):
    """Some finished trials could not be copied to the study of a `StudyMirror`, or still wait."""


class StoppedWarning(MultihopWarning):
    """Ctrl-C or SIGTERM ended the search; what was told until then is used."""


class RetiredWarning(MultihopWarning):
    """A scheme or an intermediate failed three times in the same way and never worked: it is not tried again."""


class RefitWarning(MultihopWarning):
    """The path that was chosen could not be fitted on all rows, so the next best one was taken."""


class NewLogWarning(MultihopWarning):
    """The checkpoint folder holds logs, but of other searches, so a new one is begun."""


def warn(message: str, category: type[MultihopWarning]) -> None:
    """Give a warning that points at the first line outside this package: the user's."""
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == "multihop_search":
        level, frame = level + 1, frame.f_back
    warnings.warn(visible(message), category, stacklevel=level)
