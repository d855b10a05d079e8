"""The space as data: a flat mapping of names to Optuna distributions, read back as paths.

Every trial draws every name; names that its number of hops does not use are padding, so that a sampler sees one space
of fixed shape. What differs only in padding is the same `Path`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from multihop_search.errors import InvalidSetting
from multihop_search.paths.path import STUDENT, Hop, Path, Truncate
from multihop_search.transfer.schemes import Scheme
from multihop_search.transfer.schemes.base import default_value, holds

MENU_SIZE = 24
"""Most (rung, scheme setting) pairs that hops above the last draw from: prefixes repeat only if they can be equal."""


class PathSpace:
    """All paths of a search, as an Optuna search space.

    Parameters
    ----------
    rungs : sequence of str
        Names of the selected intermediates and of `Truncate` hops' models, most complex first.
    schemes : sequence of Scheme
        Searched on the last hop with all their fields, on hops above it at their usual values.
    student : mapping of str to Optuna distribution
        The student's own parameters.
    student_defaults : mapping of str to value
        Their values in the user's student.
    truncations : sequence of Truncate, default=()
        Constructed intermediates; their models stand among `rungs`.
    max_hops : int, default=3
        Most hops of a path.

    Examples
    --------
    >>> from multihop_search import KnowledgeDistillation
    >>> space = PathSpace(["forest"], [KnowledgeDistillation(alpha=0.5, temperature=1.0)], {}, {}, max_hops=2)
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
        student: Mapping[str, BaseDistribution],
        student_defaults: Mapping[str, Any],
        *,
        truncations: Sequence[Truncate] = (),
        max_hops: int = 3,
    ) -> None:
        self.rungs = tuple(rungs)
        self.schemes = _labelled(schemes)
        self.student = dict(student)
        self.student_defaults = dict(student_defaults)
        self.menu = _menu(self.rungs, tuple(schemes), {hop.model: hop for hop in truncations})
        reachable = 1 + len(self.rungs) if self.schemes else 0
        self.max_hops = min(max_hops, reachable)
        self.distributions = self._distributions()

    def _distributions(self) -> dict[str, BaseDistribution]:
        space: dict[str, BaseDistribution] = {"n_hops": IntDistribution(0, self.max_hops)}
        for slot in range(1, self.max_hops):
            space[f"upper_{slot}"] = CategoricalDistribution(tuple(self.menu))
        if self.max_hops:
            space["scheme"] = CategoricalDistribution(tuple(self.schemes))
            for label, scheme in self.schemes.items():
                space |= {f"{label}.{name}": dist for name, dist in scheme.searched().items()}
        return space | {f"{STUDENT}.{name}": dist for name, dist in self.student.items()}

    def suggest(self, trial: Any) -> Path:
        """Return the path of a trial: live (it draws), fixed or frozen (it is read)."""
        return self.decode({name: _draw(trial, name, dist) for name, dist in self.distributions.items()})

    def decode(self, params: Mapping[str, Any]) -> Path:
        """Return the path that `params` describe; padding is ignored and no draw is invalid.

        The rungs drawn are sorted, most complex first, each once; a truncated teacher below another rung drops out,
        since it can only be the first hop. So a path may have fewer hops than `n_hops`.
        """
        student = tuple((name, params[f"{STUDENT}.{name}"]) for name in sorted(self.student))
        n_hops = params["n_hops"]
        if n_hops == 0:
            return Path((), student)
        drawn: dict[str, Hop] = {}
        for slot in range(1, n_hops):
            hop = self.menu[params[f"upper_{slot}"]]
            drawn.setdefault(hop.model, hop)
        ordered = sorted(drawn.values(), key=lambda hop: self.rungs.index(hop.model))
        upper = [hop for place, hop in enumerate(ordered) if place == 0 or not isinstance(hop.scheme, Truncate)]
        label = params["scheme"]
        template = self.schemes[label]
        scheme = template.resolve({name: params[f"{label}.{name}"] for name in template.searched()})
        return Path((*upper, Hop(scheme, STUDENT)), student)

    def encode(self, path: Path) -> dict[str, Any]:
        """Return a value for every name of the space such that `decode` gives `path` back.

        Raises
        ------
        InvalidSetting
            If the path is not in the space.
        """
        params = self._padding()
        params["n_hops"] = len(path.hops)
        labels = {hop: label for label, hop in self.menu.items()}
        try:
            for slot, hop in enumerate(path.prefix, start=1):
                params[f"upper_{slot}"] = labels[hop]
            if path.hops:
                params |= self._scheme_params(path.hops[-1].scheme)
            params |= {f"{STUDENT}.{name}": value for name, value in path.student}
            inside = set(params) == set(self.distributions)
            if not inside or not all(holds(dist, params[name]) for name, dist in self.distributions.items()):
                raise KeyError(str(path))
            if self.decode(params) != path:
                raise KeyError(str(path))
        except KeyError as error:
            raise InvalidSetting(f"the path must lie in the space, {path} does not: see print(space).") from error
        return params

    def default(self, scheme: str | None = None) -> Path:
        """Return the student as the user set it: plain, or taught in one hop by the scheme of that label."""
        params = self._padding()
        params["n_hops"] = 0 if scheme is None else 1
        if scheme is not None:
            params["scheme"] = scheme
        return self.decode(params)

    def _padding(self) -> dict[str, Any]:
        wanted = {f"{STUDENT}.{name}": value for name, value in self.student_defaults.items()}
        for label, scheme in self.schemes.items():
            wanted |= {f"{label}.{name}": value for name, value in scheme.usual_values.items()}
        return {name: default_value(dist, wanted.get(name)) for name, dist in self.distributions.items()}

    def _scheme_params(self, scheme: Any) -> dict[str, Any]:
        for label, template in self.schemes.items():
            if type(template) is type(scheme):
                searched = template.searched()
                values = {name: getattr(scheme, name) for name in searched}
                inside = all(holds(dist, values[name]) for name, dist in searched.items())
                if inside and template.resolve(values) == scheme:
                    return {"scheme": label, **{f"{label}.{name}": value for name, value in values.items()}}
        raise KeyError(str(scheme))

    def __str__(self) -> str:
        width = max(map(len, self.distributions)) + 2
        return "\n".join(f"{name:<{width}}{_words(dist)}" for name, dist in self.distributions.items())

    def __repr__(self) -> str:
        return f"<PathSpace of {len(self.distributions)} dimensions, up to {self.max_hops} hops>"


def _labelled(schemes: Sequence[Scheme]) -> dict[str, Scheme]:
    labelled: dict[str, Scheme] = {}
    for scheme in schemes:
        name = type(scheme).__name__
        same = sum(label.partition("#")[0] == name for label in labelled)
        labelled[f"{name}#{same + 1}" if same else name] = scheme
    return labelled


def _menu(rungs: Sequence[str], schemes: Sequence[Scheme], cuts: Mapping[str, Truncate]) -> dict[str, Hop]:
    """Return the hops above the last by label: first each rung with the first scheme, then with the second, ..."""
    menu = {str(cut): Hop(cut, name) for name, cut in cuts.items() if name in rungs}
    for setting in dict.fromkeys(scheme.usual() for scheme in schemes):
        for rung in rungs:
            if rung not in cuts and len(menu) < MENU_SIZE:
                label = f"{rung} <- {setting}"
                same = sum(known.partition("#")[0] == label for known in menu)  # two values that print alike
                menu[f"{label}#{same + 1}" if same else label] = Hop(setting, rung)
    return menu


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
