"""Models as skops files: like a pickle, but loading one runs no code that the reader has not trusted."""

from __future__ import annotations

from pathlib import Path as File
from typing import Any

import skops.io


def write_skops(model: Any, file: File) -> None:
    """Write a fitted estimator or Pipeline to `file`."""
    skops.io.dump(model, file)


def read_skops(file: File) -> Any:
    """Read what `write_skops` wrote; the file is the caller's own, so its types are trusted."""
    return skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file))
