"""Votes of scikit-learn: their members are models of any family."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import VotingClassifier, VotingRegressor

from multihop_search.models.base import Family


class Vote(Family):
    """`VotingClassifier` and `VotingRegressor`."""

    def matches(self, model: Any) -> bool:
        return isinstance(model, (VotingClassifier, VotingRegressor))

    def voters(self, model: Any) -> list[tuple[str, Any]]:
        """Return the members of an unweighted soft vote; a class derived from one may count in its own way."""
        is_mean = type(model) is VotingRegressor or (type(model) is VotingClassifier and model.voting == "soft")
        if not is_mean or model.weights is not None:
            return []
        return [(name, member) for name, member in model.estimators if not isinstance(member, str)]

    def parts(self, model: Any) -> list[Any] | None:
        return list(model.estimators_)
