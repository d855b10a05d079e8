"""What the command costs before it does anything: CPU of `multihop-search --help` beside that of importing click.

::

    python benchmarks/import_time.py [REPEATS]

Prints the median CPU seconds, user and system, of each command over repeats that take turns, and the bound that the
command keeps to: 1.5 times that of click and the version, and 0.1 s.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

COMMANDS = {
    "click and the version": "import click, importlib.metadata",
    "multihop-search --help": "from multihop_search.cli import main; main(['--help'])",
    "import multihop_search": "import multihop_search",
    "MultihopSearchClassifier": "from multihop_search import MultihopSearchClassifier",
}


def cpu_seconds(code: str) -> float:
    """Return user and system seconds of a new interpreter that runs `code`."""
    before = os.times()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def medians(repeats: int, names: tuple[str, ...] = tuple(COMMANDS)) -> dict[str, float]:
    """Return the median CPU seconds of each command."""
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(repeats):
        for name in names:
            seconds[name].append(cpu_seconds(COMMANDS[name]))
    return {name: statistics.median(values) for name, values in seconds.items()}


def bound(click: float) -> float:
    """Return the most CPU seconds that the command may take."""
    return 1.5 * click + 0.1


if __name__ == "__main__":
    table = medians(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
    for name, value in table.items():
        print(f"{name:28} {value:.2f} s")
    print(f"{'bound of --help':28} {bound(table['click and the version']):.2f} s")
