"""Other tools' models as teachers here, and searches of ours as learners in theirs: one file a tool.

==================  =========================================================  ====================================
name                how its teacher's outputs on training rows come about       what it needs
==================  =========================================================  ====================================
from_flaml          a clone of the found configuration in each fold; an
                    ensemble is used as it is                                   ``multihop_search[flaml]``
from_autogluon      its bagged out-of-fold predictions; without bagging it is
                    used as it is                                               ``multihop_search[autogluon]``
from_tpot           a clone of the found pipeline in each fold                  ``multihop_search[tpot]``
from_mljar          its out-of-fold predictions where it validated by folds,
                    else it is used as it is                                    ``multihop_search[mljar]``
from_callable       used as it is
from_predictions    the out-of-fold predictions that are given
FlamlLearner        a search of ours, for ``AutoML.add_learner``                ``multihop_search[flaml]``
AutogluonModel      a search of ours, for AutoGluon's ``hyperparameters``       ``multihop_search[autogluon]``
==================  =========================================================  ====================================

Of a model that is used as it is the verdict says that it may have seen the rows that judge. Names are loaded when first
used, and a tool is imported only in its own file.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multihop_search.integrations.as_it_is import from_callable
    from multihop_search.integrations.autogluon import AutogluonModel, from_autogluon
    from multihop_search.integrations.flaml import FlamlLearner, from_flaml
    from multihop_search.integrations.mljar import from_mljar
    from multihop_search.integrations.predictions import from_predictions
    from multihop_search.integrations.tpot import from_tpot

_HOME = {
    "AutogluonModel": "autogluon",
    "FlamlLearner": "flaml",
    "from_autogluon": "autogluon",
    "from_callable": "as_it_is",
    "from_flaml": "flaml",
    "from_mljar": "mljar",
    "from_predictions": "predictions",
    "from_tpot": "tpot",
}

__all__ = [
    "AutogluonModel",
    "FlamlLearner",
    "from_autogluon",
    "from_callable",
    "from_flaml",
    "from_mljar",
    "from_predictions",
    "from_tpot",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
