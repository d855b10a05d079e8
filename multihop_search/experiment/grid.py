"""The grid: the cells of an experiment, in the order in which they are run, each named by all that it depends on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path as File
from typing import Any

import multihop_search
from multihop_search.experiment.config import Config, Settings, make_settings
from multihop_search.experiment.data import Source, content
from multihop_search.keys import digest

FORMAT = 1
"""Of the rows that a cell leaves; a new one makes all cells new."""


@dataclass(frozen=True)
class Cell:
    """One search: all students on one data set, by one teacher and one set of schemes, at one size and seed."""

    source: Source
    folder: File
    teacher: str
    schemes: str
    rows: int
    seed: int
    fresh: int
    settings: Settings
    content: str
    """Hash of the files of its data."""
    models: Any
    """Specs of teacher, students, intermediates and schemes, as in the config."""

    @property
    def name(self) -> str:
        """What people read."""
        return f"{self.source.name}, {self.teacher}, {self.schemes}, {self.rows} rows, seed {self.seed}"

    @property
    def key(self) -> str:
        """Hash of all that the rows of the cell depend on, the files of its data too."""
        source = replace(self.source, file=File(self.source.file).name, groups=File(self.source.groups).name)
        named = (self.teacher, self.schemes, self.rows, self.seed, self.fresh, self.settings, self.models)
        version = multihop_search.__version__
        return digest("cell", FORMAT, version, source, self.content, *named)


def cells_of(config: Config) -> list[Cell]:
    """Return the cells: seeds outermost, so that the first seed of all data sets comes first."""
    contents = {name: content(source, config.folder) for name, source in config.data.items()}
    return [
        Cell(
            source=source,
            folder=config.folder,
            teacher=teacher,
            schemes=schemes,
            rows=rows,
            seed=seed,
            fresh=config.fresh,
            content=contents[name],
            settings=_settings(config, data=name, teachers=teacher, schemes=schemes, rows=rows, seeds=seed),
            models={
                "teacher": config.teachers[teacher],
                "students": dict(config.students),
                "intermediates": dict(config.intermediates),
                "schemes": config.schemes[schemes],
            },
        )
        for seed in config.seeds
        for rows in config.rows
        for schemes in config.schemes
        for teacher in config.teachers
        for name, source in config.data.items()
    ]


def _settings(config: Config, **axes: Any) -> Settings:
    settings = config.settings
    for override in config.overrides:
        if all(axes[axis] in values for axis, values in override.where.items()):
            settings = make_settings(override.settings, "[[override]]", settings)
    return settings
