"""Students of single trials of a fitted search, fitted on all rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd
from sklearn.utils.validation import check_is_fitted

from multihop_search.engine.memo import MEMO
from multihop_search.engine.prefixes import Prefixes
from multihop_search.engine.record import COMPLETE
from multihop_search.errors import InvalidSetting, SearchFailed
from multihop_search.executors import SerialExecutor
from multihop_search.filters import lasting_filters
from multihop_search.paths.path import Path
from multihop_search.search.setup import Setup


class Refitting:
    """A fitted search whose trials can be fitted again."""

    results_: pd.DataFrame
    paths_: Sequence[Path]
    setup_: Setup | None

    def refit_trial(self, number: int) -> Any:
        """Return the student of any completed trial, fitted on all rows: what a check on fresh rows needs.

        Parameters
        ----------
        number : int
            Trial number, as in ``results_["trial"]``.

        Raises
        ------
        InvalidSetting
            If there is no such completed trial.
        SearchFailed
            If the search was unpickled: the training rows are not part of a pickle.
        """
        with lasting_filters():
            (student,) = self.refit_trials([number])
        return student

    def refit_trials(self, numbers: Iterable[int]) -> Iterator[Any]:
        """Yield the students of many completed trials as `refit_trial` does, the upper models of all fitted once.

        Parameters
        ----------
        numbers : iterable of int
            Trial numbers, as in ``results_["trial"]``.

        Raises
        ------
        InvalidSetting
            If one is not that of a completed trial.
        SearchFailed
            If the search was unpickled: the training rows are not part of a pickle.
        """
        numbers = list(numbers)
        setup = self._checked_setup(numbers)
        return self._refitted(setup, [self.paths_[number] for number in numbers])

    @staticmethod
    def _refitted(setup: Setup, paths: Sequence[Path]) -> Iterator[Any]:
        prefixes = Prefixes(SerialExecutor().start(), setup.problem, setup.ladder)
        try:
            for path in paths:
                yield prefixes.session.result(prefixes.student(setup.problem.whole.number, path))
        finally:
            MEMO.clear(setup.problem.token)

    def _checked_setup(self, numbers: Sequence[int]) -> Setup:
        check_is_fitted(self, "results_")  # also where the last step failed
        if self.setup_ is None:
            raise SearchFailed("refit_trial needs the training rows, a pickled search leaves them out: fit it again.")
        states = self.results_["state"]
        for number in numbers:
            if number not in states.index or states[number] != COMPLETE:
                raise InvalidSetting(
                    f"number must be that of a completed trial, got {number!r}: see results_[['trial', 'state']]."
                )
        setup: Setup = self.setup_
        return setup
