"""Schemes: how a lower model is taught, as frozen values."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from multihop_search.errors import UnsuitableModel
from multihop_search.recipe import Recipe
from multihop_search.transfer.transfer_set import TeacherOutputs, TransferSet


class Scheme(Recipe):
    """Base of all schemes: a recipe that turns the upper model's outputs into the lower model's transfer set.

    Only a resolved scheme makes transfer sets; the search calls `transfer_set` in each fold.
    """

    needs_weights: ClassVar[bool] = True
    """Whether a lower classifier must take soft labels or sample weights."""
    needs_plain: ClassVar[bool] = False
    """Whether `TeacherOutputs` must hold what the lower model says without a teacher, and the upper model's stages."""

    def transfer_set(self, outputs: TeacherOutputs, y: np.ndarray) -> TransferSet:
        """Return targets (n_rows, n_outputs) and weights (n_rows,) for the lower model.

        Parameters
        ----------
        outputs : TeacherOutputs
            Cross-fitted outputs of the upper model on the rows.
        y : ndarray of shape (n_rows,)
            True class codes, or values in regression.
        """
        raise NotImplementedError

    def label(self, outputs: TeacherOutputs) -> np.ndarray:
        """Return the targets (n_synthetic, n_outputs) of synthetic rows, which have no true label."""
        return outputs.calibrated

    def for_regression(self) -> Scheme:
        """Return the scheme as it serves regression.

        Raises
        ------
        UnsuitableModel
            If it cannot: most schemes need class probabilities.
        """
        raise UnsuitableModel(
            f"schemes must serve regression, {type(self).__name__} needs class probabilities: use "
            "KnowledgeDistillation() or LossCorrection()."
        )
