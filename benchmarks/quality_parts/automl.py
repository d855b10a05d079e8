"""AutoGluon's distillation, run in an environment of its own: its pins and ours do not meet."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import bench
import numpy as np

from quality_parts.cells import Found
from quality_parts.data import Split
from quality_parts.students import STUDENTS

ENVIRONMENT = bench.ROOT / "build" / "envs" / "autogluon"
PINS = ("autogluon.tabular[lightgbm]==1.6.3", "lightgbm==4.7.0", "scikit-learn==1.9.1")
WORKER = Path(__file__).with_name("autogluon_worker.py")
SETTINGS = f"""{PINS[0]}; teacher: 5-fold bagged ensemble of its default models (LightGBM, forests, extra trees),
60 s; students at our size: a forest of one tree of the same depth, 10 rounds of 8 leaves with the parameters of the
plain tuned booster"""


def environment() -> Path:
    """Return the Python of AutoGluon's environment, made if it is not there."""
    python = ENVIRONMENT / "bin" / "python"
    done = ENVIRONMENT / "done"
    if not done.exists():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PINS], check=True)
        done.touch()
    return python


def distilled(split: Split, seed: int, tuned: Mapping[str, Mapping[str, Any]]) -> Iterator[Found]:
    """Distil the students that it can, the booster with tuned parameters; with three classes or more also repaired."""
    with tempfile.TemporaryDirectory() as folder:
        rows, found = Path(folder) / "rows.npz", Path(folder) / "found.npz"
        np.savez(rows, X=split.X, y=split.y, X_fresh=split.X_fresh)
        subprocess.run(
            [environment(), WORKER, rows, found, str(seed), json.dumps(tuned["gbm10"])], check=True, stdout=sys.stderr
        )
        made = dict(np.load(found))
    several = len(split.classes) > 2
    names = [name for name in STUDENTS if name in made]
    for variant in ("", " repaired"):
        source = variant if several else ""  # with two classes there is nothing to repair
        seconds = (made["seconds teacher"] + made[f"seconds{source}"]) / len(names)
        for name in names:
            trees = int(made[f"trees{source}"])
            note = f"{trees // (len(split.classes) if several else 1)} rounds" if name == "gbm10" else ""
            yield Found(name, made[name + source], float(seconds), variant.strip(), more={"note": note})
