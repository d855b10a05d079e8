"""What retires after three equal failures, and what is acquitted."""

import warnings
from typing import Any

import pytest

from multihop_search import HardLabels, KnowledgeDistillation, Path
from multihop_search.engine.record import COMPLETE, FAIL, PRUNED, TrialRecord
from multihop_search.engine.retirement import Retirement
from multihop_search.errors import RetiredWarning
from multihop_search.paths.path import Hop, Truncate

pytestmark = pytest.mark.once

KD, HARD = KnowledgeDistillation(alpha=0.5, temperature=1.0), HardLabels()
BROKEN = Path((Hop(KD, "broken"), Hop(KD, "student")))
ONE_HOP = Path((Hop(KD, "student"),))


def told(retirement: Retirement, path: Path, *reasons: str, state: str = FAIL) -> list[str]:
    """Tell trials of one path; return what was warned."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        for number, reason in enumerate(reasons or [""]):
            retirement.note(TrialRecord(number=number, path=path, state=state, reason=reason))
    assert all(issubclass(one.category, RetiredWarning) for one in given)
    return [str(one.message) for one in given]


def test_three_equal_failures_retire_an_intermediate_and_not_the_scheme_that_works_elsewhere() -> None:
    retirement = Retirement()
    told(retirement, ONE_HOP, state=COMPLETE)
    assert told(retirement, BROKEN, "it broke", "it broke") == []
    assert retirement.reason(BROKEN) == ""
    assert told(retirement, BROKEN, "it broke") == [
        "intermediate broken retired after 3 equal failures: it broke: it is not tried again, see results_."
    ]
    said = "intermediate broken retired after 3 equal failures: it broke"
    assert retirement.reason(BROKEN) == said
    assert retirement.reason(Path((Hop(HARD, "broken"), Hop(HARD, "student")))) == said
    assert retirement.reason(ONE_HOP) == ""
    assert retirement.reason(Path(())) == ""
    assert told(retirement, BROKEN, "it broke") == []


@pytest.mark.parametrize("state", [COMPLETE, PRUNED])
def test_what_has_worked_once_never_retires(state: str) -> None:
    retirement = Retirement()
    told(retirement, BROKEN, "it broke", "it broke")
    told(retirement, BROKEN, state=state)
    assert told(retirement, BROKEN, *["it broke"] * 5) == []
    assert retirement.reason(BROKEN) == ""


def test_a_scheme_that_never_works_retires() -> None:
    retirement = Retirement()
    assert told(retirement, ONE_HOP, "no", "no", "no") == [
        "scheme KnowledgeDistillation retired after 3 equal failures: no: it is not tried again, see results_."
    ]
    assert retirement.reason(ONE_HOP)
    assert not retirement.reason(Path((Hop(HARD, "student"),)))


def test_unequal_failures_are_not_added_up() -> None:
    retirement = Retirement()
    assert told(retirement, ONE_HOP, "a", "b", "a", "b") == []
    assert retirement.reason(ONE_HOP) == ""


def test_a_truncated_teacher_is_an_intermediate() -> None:
    retirement = Retirement()
    path: Any = Path((Hop(Truncate(10), "teacher[:10]"), Hop(KD, "student")))
    told(retirement, ONE_HOP, state=COMPLETE)
    assert len(told(retirement, path, "no", "no", "no")) == 1
    assert retirement.reason(path).startswith("intermediate teacher[:10] retired")
