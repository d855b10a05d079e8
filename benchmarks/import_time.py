"""What the command costs before it does anything: CPU of `multihop-search --help` beside that of importing click.

::

    python benchmarks/import_time.py [--repeats 11]

Prints the median CPU seconds, user and system, of each command over repeats that take turns, and the bound that the
command keeps to: 1.5 times that of click and the version, and 0.1 s.
"""

from __future__ import annotations

import argparse
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


def medians(repeats: int, names: tuple[str, ...]) -> dict[str, float]:
    """Return the median CPU seconds of each command."""
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(repeats):
        for name in names:
            seconds[name].append(cpu_seconds(COMMANDS[name]))
    return {name: statistics.median(values) for name, values in seconds.items()}


def bound(click: float) -> float:
    """Return the most CPU seconds that the command may take."""
    return 1.5 * click + 0.1


def main(args: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=11)
    table = medians(parser.parse_args(args).repeats, tuple(COMMANDS))
    for name, value in table.items():
        print(f"{name:28} {value:.2f} s")
    print(f"{'bound of --help':28} {bound(table['click and the version']):.2f} s")


if __name__ == "__main__":
    main()
