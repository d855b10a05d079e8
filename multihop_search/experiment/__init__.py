"""Experiments: when does multi-hop help, and what is left of a gain on fresh rows?

``run_experiment(config, out)`` runs a grid of cells and leaves two Parquet tables, ``write_report(out)`` a page.

In the order of reading: `config` (read and checked by `recipes`), `grid` (its cells), `data` and `simulation` (their
rows), `run` (one cell: a search that `watch` reads, refitted and judged; its `rows` and `conditions`), `store` (what is
kept), `loop` (all cells); then, from the two tables alone, `statistics`, `claims`, `sign`, `figures` and `page`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multihop_search.experiment.config import Config, make_config, read_config
    from multihop_search.experiment.loop import run_experiment
    from multihop_search.experiment.page import write_report
    from multihop_search.experiment.store import Records, read_records

__all__ = ["Config", "Records", "make_config", "read_config", "read_records", "run_experiment", "write_report"]
HOMES = dict.fromkeys(("Config", "make_config", "read_config"), "config") | dict.fromkeys(
    ("Records", "read_records"), "store"
)
HOMES |= {"run_experiment": "loop", "write_report": "page"}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
