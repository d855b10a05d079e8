"""Keys and random streams: everything random in a search is seeded by *what* it is for, never by when it runs.

A key is a hash of canonical JSON, equal in every process and under every hash seed. Two searches that meet the same
(random state, fold, hops, purpose) therefore draw the same numbers, whether they run serially, in parallel or again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def canonical(value: Any) -> Any:
    """Return `value` as plain JSON data: dataclasses and estimators as qualified class name + parameters.

    Raises
    ------
    TypeError
        If `value` holds something that has no canonical form.

    Examples
    --------
    >>> canonical({"b": (1, 2.5), "a": None})
    {'a': None, 'b': [1, 2.5]}
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):  # 1.0 == 1, so both have one key
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, np.generic):
        return canonical(value.item())
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return canonical(value.tolist())
        content = np.ascontiguousarray(value)
        return {"array": hashlib.blake2b(content.tobytes(), digest_size=16).hexdigest(), "shape": list(content.shape)}
    if isinstance(value, Mapping):
        return {str(name): canonical(value[name]) for name in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((canonical(item) for item in value), key=str)
    if is_dataclass(value) and not isinstance(value, type):
        return {"class": _name(type(value)), **{f.name: canonical(getattr(value, f.name)) for f in fields(value)}}
    if isinstance(value, type):
        return _name(value)
    if hasattr(value, "get_params"):
        return {"class": _name(type(value)), **canonical(value.get_params(deep=False))}
    if hasattr(value, "_asdict"):  # Optuna's distributions
        return {"class": _name(type(value)), **canonical(value._asdict())}
    if callable(value) and "<" not in getattr(value, "__qualname__", "<"):  # a named function, no lambda or partial
        return _name(value)
    kind = type(value).__qualname__
    raise TypeError(f"{kind} has no canonical form: pass plain values, named functions, dataclasses or estimators.")


def _name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def digest(*parts: Any) -> str:
    """Return the key of `parts`: 32 hexadecimal digits, equal in every process.

    Examples
    --------
    >>> digest("fold", 3) == digest("fold", 3), digest("fold", 3) == digest("fold", 4)
    (True, False)
    """
    text = json.dumps(canonical(parts), sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def rng_of(random_state: int, *parts: Any) -> np.random.Generator:
    """Return the random stream of (`random_state`, `parts`)."""
    return np.random.default_rng(np.random.SeedSequence([random_state, int(digest(*parts), 16)]))


def seed(random_state: int, *parts: Any) -> int:
    """Return the seed of (`random_state`, `parts`): an integer in [0, 2**31), as scikit-learn takes it."""
    return int(rng_of(random_state, *parts).integers(2**31))
