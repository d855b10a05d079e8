"""Our search, whole and with one part left out, and what its verdict claims beside what fresh rows say."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from multihop_search import (
    ConfWeight,
    HardLabels,
    ModelCompression,
    MultihopSearchClassifier,
    OwnFit,
    SRatio,
    TeacherOutputs,
)
from multihop_search.transfer.schemes import default_schemes
from quality_parts.cells import Found
from quality_parts.data import Split
from quality_parts.measures import gain
from quality_parts.students import STUDENTS, TREES, stored_form, student


@dataclass(frozen=True)
class HardConfWeight(ConfWeight):
    """`ConfWeight` whose synthetic rows have the upper model's hard labels."""

    def label(self, outputs: TeacherOutputs) -> np.ndarray:
        return HardLabels().label(outputs)


@dataclass(frozen=True)
class HardSRatio(SRatio):
    """`SRatio` whose synthetic rows have the upper model's hard labels."""

    def label(self, outputs: TeacherOutputs) -> np.ndarray:
        return HardLabels().label(outputs)


HARD = [HardLabels(), HardConfWeight(), HardSRatio(), ModelCompression()]
SEARCHES: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "ours": (STUDENTS, {}),
    "ours accuracy": (tuple(TREES), {"scoring": "accuracy"}),
    "no solver": (tuple(TREES), {"tree_fits": [OwnFit()]}),
    "no soft labels": (tuple(TREES), {"schemes": HARD}),
    "no synthetic rows": (tuple(TREES), {"schemes": list(default_schemes())}),
    "no second hop": (tuple(TREES), {"max_hops": 1}),
}
"""Students and settings of each search; what is left out concerns the trees."""
OWN_FIT, PLAIN = "selected vs own fit", "selected vs plain"


def searched(split: Split, seed: int, method: str, trials: int) -> Iterator[Found]:
    """Search all students of a method at once; the seconds of the search are shared among them."""
    names, settings = SEARCHES[method]
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = MultihopSearchClassifier(
            [(name, student(name)) for name in names], n_trials=trials, random_state=seed, **settings
        ).fit(split.X, split.y, groups=split.groups)
        seconds = (time.perf_counter() - start) / len(names)
        for name in names:
            model = search.refit_trial(search.chosen_[name])
            if name in TREES:
                assert type(model) is type(student(name))
                assert model.get_depth() <= TREES[name]
            proba = stored_form(model, split.X_fresh, split.classes)
            yield Found(name, proba, seconds, more=claim(search, name, proba, split))


def claim(search: Any, name: str, proba: np.ndarray, split: Split) -> dict[str, Any]:
    """Return the verdict's gain over the student's own plain fit in the same search, and the same on fresh rows."""
    table, results = search.verdicts_[name].table, search.results_
    said = table.loc[OWN_FIT if OWN_FIT in table.index else PLAIN]
    own = (results["student"] == name) & (results["hops"] == 0) & (results["fit"] == "OwnFit")
    baseline = search.refit_trial(int(results.loc[own & (results["state"] == "COMPLETE"), "score"].idxmax()))

    def rows(of: np.ndarray) -> np.ndarray:
        return np.asarray(search.scorer_.rows(split.y_fresh, of))

    fresh, error = gain(rows(proba), rows(stored_form(baseline, split.X_fresh, split.classes)), split.unit_fresh)
    chosen = results.loc[search.chosen_[name]]
    return {
        "claimed": said["gain"],
        "claimed_low": said["low"],
        "claimed_high": said["high"],
        "fresh_gain": fresh,
        "fresh_gain_se": error,
        "note": f"{said['verdict']}; {chosen['hops']} hops, {chosen['fit']}",
    }
