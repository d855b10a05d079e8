"""Files that are there whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as File


@contextmanager
def whole_file(file: str | os.PathLike[str]) -> Iterator[File]:
    """Give the path to write to, in a folder beside `file`; what was written takes its place at the end, at once."""
    target = File(file).absolute()
    partial = File(tempfile.mkdtemp(prefix=".part-", dir=target.parent))
    try:
        yield partial / target.name
        os.replace(partial / target.name, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
