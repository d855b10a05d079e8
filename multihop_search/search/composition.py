"""Models in a list of (name, model): each is set by its name, as in scikit-learn's `VotingClassifier`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Self

from sklearn.base import BaseEstimator

from multihop_search.errors import InvalidSetting

LISTS = ("student", "intermediates")
"""Arguments that may hold such a list."""


class Composition(BaseEstimator):  # type: ignore[misc]
    """An estimator whose arguments `student` and `intermediates` may be lists of (name, model)."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the arguments by name.

        Parameters
        ----------
        deep : bool, default=True
            Also the parameters of the models: ``student__max_depth`` of a model that stands alone, and of one in a list
            ``student__name__max_depth``; ``student__name`` is that model.
        """
        params: dict[str, Any] = super().get_params(deep=deep)
        for argument in LISTS if deep else ():
            for name, model in _pairs(params[argument]):
                params[f"{argument}__{name}"] = model
                if hasattr(model, "get_params") and not isinstance(model, type):
                    of_model = model.get_params(deep=True)
                    params |= {f"{argument}__{name}__{key}": value for key, value in of_model.items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set arguments by name, and parameters of models by the names that `get_params` gives them.

        Raises
        ------
        ValueError
            If a name is none of these; it is an `InvalidSetting` where no model in the list has it.
        """
        super().set_params(**{key: params.pop(key) for key in list(params) if "__" not in key})
        for argument in LISTS:
            if isinstance(getattr(self, argument), (list, tuple)):
                begin = f"{argument}__"
                named = {key.removeprefix(begin): params.pop(key) for key in list(params) if key.startswith(begin)}
                self._set_in_list(argument, named)
        super().set_params(**params)
        return self

    def _set_in_list(self, argument: str, named: dict[str, Any]) -> None:
        """Replace models of a list, which stays as the user made it, then set parameters of those in the new one."""
        models = dict(_pairs(getattr(self, argument)))
        parameters: dict[str, dict[str, Any]] = defaultdict(dict)
        for key, value in named.items():
            name, _, parameter = key.partition("__")
            if name not in models:
                raise InvalidSetting(
                    f"{argument} has no model of the name that {key!r} begins with: begin with one of {[*models]}."
                )
            if parameter:
                parameters[name][parameter] = value
            else:
                models[name] = value
        if any("__" not in key for key in named):
            setattr(self, argument, list(models.items()))
        for name, values in parameters.items():
            models[name].set_params(**values)


def _pairs(models: Any) -> Iterator[tuple[str, Any]]:
    """Yield what is (name, model) of a list; what is not is refused by `fit`."""
    for item in models if isinstance(models, (list, tuple)) else ():
        if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str):
            yield item
