"""Small searches: each test file says once what is usual in its searches."""

from collections.abc import Callable
from typing import Any

from multihop_search import MultihopSearchClassifier

MODELS = ("student", "teacher")


def searches(*models: Any, kind: Any = MultihopSearchClassifier, **usual: Any) -> Callable[..., Any]:
    """Return a function of student, teacher and settings that makes a search; what it is not told is as here."""
    usual = {"random_state": 0, "portfolio": None, **usual, **dict(zip(MODELS, models, strict=False))}

    def search_for(*own: Any, **settings: Any) -> Any:
        return kind(**{**usual, **settings, **dict(zip(MODELS, own, strict=False))})

    return search_for
