"""Paths among the options of the commands."""

from __future__ import annotations

import os
from pathlib import Path as File
from typing import Any

import click

from multihop_search.errors import InvalidSetting
from multihop_search.files import path_of


class GivenPath(click.Path):
    """A path as functions of this package take it: ``~`` is the home folder, an empty one is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> File:
        """Return the path."""
        try:
            path = path_of(value, "the path")
        except InvalidSetting as error:
            self.fail(str(error), param, ctx)
        return File(os.fsdecode(super().convert(path, param, ctx)))
