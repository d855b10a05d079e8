"""The space as data: a flat mapping of names to Optuna distributions, read back as paths.

Every trial of a student draws every name of that student; names that its number of hops does not use are padding, so
that a sampler sees one space of fixed shape. What differs only in padding is the same `Path`. Students draw the hops
above the last from one menu, so that they share prefixes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from multihop_search.errors import InvalidSetting
from multihop_search.paths.path import Hop, Path, Truncate
from multihop_search.recipe import R, default_value, holds
from multihop_search.transfer.schemes import ModelCompression, Recipe, Scheme
from multihop_search.trees import OwnFit, TreeFit

MENU_SIZE = 24
"""Most (rung, scheme setting) pairs that hops above the last draw from: prefixes repeat only if they can be equal."""


COMPRESSION = ModelCompression.__name__
FIT = "fit"


@dataclass(frozen=True)
class StudentSpace:
    """What is searched of one student."""

    distributions: Mapping[str, BaseDistribution] = field(default_factory=dict)
    """The student's own parameters."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Their values in the user's student."""
    rungs: tuple[str, ...] | None = None
    """Intermediates that are more complex than the student, most complex first; None: all."""
    fits: tuple[TreeFit, ...] = ()
    """How a tree is fitted is searched too, at every number of hops; empty: by its class."""


class PathSpace:
    """All paths of a search, as an Optuna search space.

    Parameters
    ----------
    rungs : sequence of str
        Names of the selected intermediates and of `Truncate` hops' models, most complex first.
    schemes : sequence of Scheme
        Searched on the last hop with all their fields, on hops above it at their usual values.
    students : mapping of str to StudentSpace
        By name; what each student's own dimensions are.
    compression : ModelCompression or None, default=None
        Rows without a true label that hops may add.
    truncations : sequence of Truncate, default=()
        Constructed intermediates; their models stand among `rungs`.
    max_hops : int, default=3
        Most hops of a path.

    Examples
    --------
    >>> from multihop_search import KnowledgeDistillation
    >>> kd = KnowledgeDistillation(alpha=0.5, temperature=1.0)
    >>> space = PathSpace(["forest"], [kd], {"student": StudentSpace()}, max_hops=2)
    >>> print(space)
    n_hops   0 to 2
    upper_1  'forest <- KnowledgeDistillation(alpha=0.5, temperature=1)'
    scheme   'KnowledgeDistillation'
    >>> path = space.decode({"n_hops": 1, "upper_1": 0, "scheme": "KnowledgeDistillation"})
    >>> print(path)
    teacher -[KnowledgeDistillation(alpha=0.5, temperature=1)]-> student
    >>> space.decode(space.encode(path)) == path
    True
    """

    def __init__(
        self,
        rungs: Sequence[str],
        schemes: Sequence[Scheme],
        students: Mapping[str, StudentSpace],
        *,
        compression: ModelCompression | None = None,
        truncations: Sequence[Truncate] = (),
        max_hops: int = 3,
    ) -> None:
        self.rungs = tuple(rungs)
        self.schemes = _labelled(schemes)
        self.students = dict(students)
        self.fits = {name: _labelled(student.fits) for name, student in self.students.items()}
        self.compression = compression
        self.menu = _menu(self.rungs, tuple(schemes), {hop.model: hop for hop in truncations}, compression)
        self._max_hops = max_hops
        self.max_hops = max(map(self.max_hops_of, self.students))
        self.distributions = self._shared() | {
            name: dist for student in self.students for name, dist in self._own(student).items()
        }

    def max_hops_of(self, student: str) -> int:
        """Return the most hops of a path to `student`."""
        return min(self._max_hops, 1 + len(self._rungs_of(student)) if self.schemes else 0)

    def _rungs_of(self, student: str) -> tuple[str, ...]:
        above = self.students[student].rungs
        return self.rungs if above is None else tuple(rung for rung in self.rungs if rung in above)

    def _shared(self) -> dict[str, BaseDistribution]:
        space: dict[str, BaseDistribution] = {}
        if len(self.students) > 1:
            space["student"] = CategoricalDistribution(tuple(self.students))
        space["n_hops"] = IntDistribution(0, self.max_hops)
        for slot in range(1, self.max_hops):
            space[f"upper_{slot}"] = CategoricalDistribution(tuple(self.menu))
        if self.max_hops:
            space["scheme"] = CategoricalDistribution(tuple(self.schemes))
            for label, scheme in self.schemes.items():
                space |= {f"{label}.{name}": dist for name, dist in scheme.searched().items()}
            if self.compression is not None:
                space |= {f"{COMPRESSION}.{name}": dist for name, dist in self.compression.searched().items()}
        return space

    def _own(self, student: str) -> dict[str, BaseDistribution]:
        own = {f"{student}.{name}": dist for name, dist in self.students[student].distributions.items()}
        fits = self.fits[student]
        if fits:
            own[f"{student}.{FIT}"] = CategoricalDistribution(tuple(fits))
        for label, fit in fits.items():
            own |= {f"{student}.{label}.{name}": dist for name, dist in fit.searched().items()}
        return own

    def names_of(self, student: str) -> dict[str, BaseDistribution]:
        """Return every name that a path to `student` has a value for."""
        return self._shared() | self._own(student)

    def _student_in(self, params: Mapping[str, Any]) -> str:
        return str(params["student"]) if len(self.students) > 1 else next(iter(self.students))

    def suggest(self, trial: Any) -> Path:
        """Return the path of a trial: live (it draws), fixed or frozen (it is read)."""
        params = {name: _draw(trial, name, dist) for name, dist in self._shared().items()}
        own = self._own(self._student_in(params))
        return self.decode(params | {name: _draw(trial, name, dist) for name, dist in own.items()})

    def decode(self, params: Mapping[str, Any]) -> Path:
        """Return the path that `params` describe; padding is ignored and no draw is invalid.

        The rungs drawn are sorted, most complex first, each once; a truncated teacher below another rung drops out,
        since it can only be the first hop; for a rung that is no more complex than the student the lowest that is
        stands in. So a path may have fewer hops than `n_hops`.
        """
        student = self._student_in(params)
        fit, used = self._fit_in(params, student)
        own = tuple((name, params[f"{student}.{name}"]) for name in sorted(used))
        n_hops = min(params["n_hops"], self.max_hops_of(student))
        if n_hops == 0:
            return Path((), own, student, fit)
        drawn: dict[str, Hop] = {}
        for slot in range(1, n_hops):
            hop = self._above(student, self.menu[params[f"upper_{slot}"]])
            drawn.setdefault(hop.model, hop)
        ordered = sorted(drawn.values(), key=lambda hop: self.rungs.index(hop.model))
        upper = [hop for place, hop in enumerate(ordered) if place == 0 or not isinstance(hop.scheme, Truncate)]
        label = params["scheme"]
        scheme = self.schemes[label].resolve(_fields_in(params, label, self.schemes[label]))
        added = None
        if self.compression is not None:
            added = _if_any(self.compression.resolve(_fields_in(params, COMPRESSION, self.compression)))
        return Path((*upper, Hop(scheme, student, added)), own, student, fit)

    def _fit_in(self, params: Mapping[str, Any], student: str) -> tuple[TreeFit | None, Mapping[str, BaseDistribution]]:
        """Return the fit that is drawn, None for the class's own, and the parameters of the student that it uses."""
        fits, own = self.fits[student], self.students[student].distributions
        if not fits:
            return None, own
        label = params[f"{student}.{FIT}"]
        fit = fits[label].resolve(_fields_in(params, f"{student}.{label}", fits[label]))
        used = {name: dist for name, dist in own.items() if name.rpartition("__")[2] not in fit.unused}
        return None if fit.is_usual else fit, used

    def _above(self, student: str, hop: Hop) -> Hop:
        """Return `hop`, or where its model is no more complex than the student, the same to the lowest that is."""
        allowed = self._rungs_of(student)
        if hop.model in allowed:
            return hop
        lowest = allowed[-1]
        first = next(entry for entry in self.menu.values() if entry.model == lowest)
        either_cut = isinstance(first.scheme, Truncate) or isinstance(hop.scheme, Truncate)
        return first if either_cut else replace(hop, model=lowest)

    def encode(self, path: Path) -> dict[str, Any]:
        """Return a value for every name of the space such that `decode` gives `path` back.

        Raises
        ------
        InvalidSetting
            If the path is not in the space.
        """
        labels = {hop: label for label, hop in self.menu.items()}
        try:
            params = self.usual(path.student)
            params["n_hops"] = len(path.hops)
            for slot, hop in enumerate(path.prefix, start=1):
                params[f"upper_{slot}"] = labels[hop]
            if path.hops:
                params |= self._scheme_params(path.hops[-1].scheme)
                params |= self._compression_params(path.hops[-1].compression)
            params |= {f"{path.student}.{name}": value for name, value in path.params}
            if self.fits[path.student]:
                params |= self._fit_params(path.student, path.fit)
            dists = self.names_of(path.student)
            if set(params) != set(dists) or not all(holds(dist, params[name]) for name, dist in dists.items()):
                raise KeyError(str(path))
            if self.decode(params) != path:
                raise KeyError(str(path))
        except KeyError as error:
            raise InvalidSetting(f"the path must lie in the space, {path} does not: see print(space).") from error
        return params

    def default(self, student: str, scheme: str | None = None, fit: str | None = None) -> Path:
        """Return a student as the user set it: plain, or taught in one hop by the scheme of that label.

        `fit` is the label of the way in which it is fitted; None: the first.
        """
        params = self.usual(student)
        if fit is not None:
            params[f"{student}.{FIT}"] = fit
        params["n_hops"] = 0 if scheme is None else 1
        if scheme is not None:
            params["scheme"] = scheme
        return self.decode(params)

    def plain_defaults(self, student: str) -> list[Path]:
        """Return a student as the user set it without a teacher, by each way of fitting."""
        return [self.default(student, fit=fit) for fit in self.fits[student] or (None,)]

    def one_hop_defaults(self, student: str) -> list[Path]:
        """Return a student as the user set it, taught by each scheme; the ways of fitting take turns, the last first.

        So the first is the recipe that was best on many data sets (decision 13).
        """
        if not self.max_hops_of(student):
            return []
        fits = tuple(self.fits[student])[::-1] or (None,)
        return [self.default(student, scheme, fit) for scheme, fit in zip(self.schemes, cycle(fits), strict=False)]

    def holds(self, name: str, value: Any) -> bool:
        """Return whether a name of the space can have a value."""
        return holds(self.distributions[name], value)

    def usual(self, student: str) -> dict[str, Any]:
        """Return the usual value of every name that a path to `student` has: those of the user's own student."""
        wanted = {f"{student}.{name}": value for name, value in self.students[student].defaults.items()}
        wanted["student"] = student
        for label, scheme in self.schemes.items():
            wanted |= {f"{label}.{name}": value for name, value in scheme.usual_values.items()}
        for label, fit in self.fits[student].items():
            wanted |= {f"{student}.{label}.{name}": value for name, value in fit.usual_values.items()}
        if self.compression is not None:
            wanted |= {f"{COMPRESSION}.{name}": value for name, value in self.compression.usual_values.items()}
        return {name: default_value(dist, wanted.get(name)) for name, dist in self.names_of(student).items()}

    def _compression_params(self, added: ModelCompression | None) -> dict[str, Any]:
        if self.compression is None:
            return {}
        searched = self.compression.searched()
        if added is None:
            return {f"{COMPRESSION}.multiple": 0} if "multiple" in searched else {}
        return {f"{COMPRESSION}.{name}": getattr(added, name) for name in searched}

    def _scheme_params(self, scheme: Any) -> dict[str, Any]:
        label, values = _found_in(self.schemes, scheme)
        return {"scheme": label, **{f"{label}.{name}": value for name, value in values.items()}}

    def _fit_params(self, student: str, fit: TreeFit | None) -> dict[str, Any]:
        label, values = _found_in(self.fits[student], OwnFit() if fit is None else fit)
        return {f"{student}.{FIT}": label, **{f"{student}.{label}.{name}": value for name, value in values.items()}}

    def __str__(self) -> str:
        width = max(map(len, self.distributions)) + 2
        return "\n".join(f"{name:<{width}}{_words(dist)}" for name, dist in self.distributions.items())

    def __repr__(self) -> str:
        return f"<PathSpace of {len(self.distributions)} dimensions, up to {self.max_hops} hops>"


def _labelled(recipes: Sequence[R]) -> dict[str, R]:
    labelled: dict[str, R] = {}
    for recipe in recipes:
        name = recipe.name
        same = sum(label.partition("#")[0] == name for label in labelled)
        labelled[f"{name}#{same + 1}" if same else name] = recipe
    return labelled


def _found_in(recipes: Mapping[str, Recipe], resolved: Recipe) -> tuple[str, dict[str, Any]]:
    """Return the label of the recipe that `resolved` is a setting of, and the values of its searched fields.

    Raises
    ------
    KeyError
        If there is none.
    """
    for label, recipe in recipes.items():
        if type(recipe) is type(resolved):
            searched = recipe.searched()
            values = {name: getattr(resolved, name) for name in searched}
            inside = all(holds(dist, values[name]) for name, dist in searched.items())
            if inside and recipe.resolve(values) == resolved:
                return label, values
    raise KeyError(str(resolved))


def _fields_in(params: Mapping[str, Any], label: str, recipe: Recipe) -> dict[str, Any]:
    return {name: params[f"{label}.{name}"] for name in recipe.searched()}


def _if_any(compression: ModelCompression) -> ModelCompression | None:
    return compression if compression.multiple else None


def _menu(
    rungs: Sequence[str],
    schemes: Sequence[Scheme],
    cuts: Mapping[str, Truncate],
    compression: ModelCompression | None,
) -> dict[str, Hop]:
    """Return the hops above the last by label: first each rung with the first setting, then with the second, ..."""
    menu = {str(cut): Hop(cut, name) for name, cut in cuts.items() if name in rungs}
    usual: list[Scheme] = list(dict.fromkeys(scheme.usual() for scheme in schemes))
    without, *with_rows = _menu_compressions(compression)
    settings = [(scheme, without) for scheme in usual]
    settings[1:1] = [(usual[0], added) for added in with_rows] if usual else []
    for scheme, added in settings:
        for rung in rungs:
            if rung not in cuts and len(menu) < MENU_SIZE:
                label = f"{rung} <- {scheme}" + (f" + {added}" if added else "")
                same = sum(other.partition("#")[0] == label for other in menu)  # two values that print alike
                menu[f"{label}#{same + 1}" if same else label] = Hop(scheme, rung, added)
    return menu


def _menu_compressions(compression: ModelCompression | None) -> list[ModelCompression | None]:
    """Return what hops above the last add: no rows first, where they may add none, then the usual number of them."""
    if compression is None:
        return [None]
    usual: ModelCompression = compression.usual()
    dist = compression.searched().get("multiple")
    compressions: list[ModelCompression | None] = [None] if dist is not None and holds(dist, 0) else []
    some = usual.multiple if dist is None else usual.multiple or compression.most
    compressions += [_if_any(replace(usual, multiple=some, generator=name)) for name in compression.generators]
    return list(dict.fromkeys(compressions))


def _draw(trial: Any, name: str, dist: BaseDistribution) -> Any:
    if isinstance(dist, CategoricalDistribution):
        return trial.suggest_categorical(name, dist.choices)
    if isinstance(dist, IntDistribution):
        return trial.suggest_int(name, dist.low, dist.high, step=dist.step, log=dist.log)
    assert isinstance(dist, FloatDistribution)
    return trial.suggest_float(name, dist.low, dist.high, step=dist.step, log=dist.log)


def _words(dist: BaseDistribution) -> str:
    if isinstance(dist, CategoricalDistribution):
        return ", ".join(map(repr, dist.choices))
    assert isinstance(dist, (FloatDistribution, IntDistribution))
    return (
        f"{dist.low:g} to {dist.high:g}"
        + (", log" if dist.log else "")
        + (f", step {dist.step:g}" if dist.step not in (None, 1) else "")
    )
