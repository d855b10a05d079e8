"""The code behind a search: what no installed package holds is known by what it does, everything else by its name.

A function of the user's is described by its instructions and constants, its defaults, the values that it closes over,
and all that it refers to in its module and in further modules of the user's; a class by its bases, methods and values.
Comments, docstrings and places in a file play no part, so that a description is equal in every process of one version
of Python. What a function itself changes, such as a counter, is a record and no part of its code. Packages that are
installed are noted: their versions say what their code does.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import io
import pickle
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path as File
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import joblib
import numpy as np
from sklearn.frozen import FrozenEstimator

from multihop_search.keys import canonical
from multihop_search.search.bytecode import changed_by, in_order, instructions, names_in
from multihop_search.versions import distributions

OURS = "multihop_search"
NONE: dict[str, Any] = {}
"""How `None` is described; nothing else is a dict."""
DERIVED = frozenset(
    {"__abstractmethods__", "__annotate__", "__annotate_func__", "__annotations__", "__annotations_cache__"}
    | {"__classdictcell__", "__dataclass_fields__", "__dataclass_params__", "__dict__", "__doc__", "__firstlineno__"}
    | {"__module__", "__qualname__", "__static_attributes__", "__weakref__", "_abc_impl"}
)
"""What stands in a class beside what its author wrote, or is no behaviour."""


def is_installed(module: str) -> bool:
    """Return whether a module is part of Python, of this package, or of a distribution with a version.

    A package that is installed to be edited is not: its code changes while its version stays.
    """
    return _is_installed(module.partition(".")[0])


@functools.cache
def _is_installed(top: str) -> bool:
    if top in (OURS, "builtins"):
        return True
    module = sys.modules.get(top)
    file = getattr(module, "__file__", None)
    places = [File(place).resolve() for place in (file, *getattr(module, "__path__", ())) if place]
    inside = any({"site-packages", "dist-packages"} & set(place.parts) for place in places)
    if top in sys.stdlib_module_names and not inside:
        paths = sysconfig.get_paths()
        homes = {File(paths[name]).resolve() for name in ("stdlib", "platstdlib")}
        return not places or any(home in place.parents for home in homes for place in places)
    return inside and top in distributions()


class Code:
    """Describes objects as plain data, and notes the installed packages that it meets.

    Attributes
    ----------
    packages : set of str
        Top-level modules of the installed packages that were met.
    """

    def __init__(self) -> None:
        self.packages: set[str] = set()
        self._numbers: dict[int, int] = {}
        self._met: list[Any] = []  # alive, so that no two of them have one id
        self._open: set[int] = set()

    def describe(self, value: Any) -> Any:
        """Return what `value` is.

        Raises
        ------
        TypeError
            If it is nothing that another process would know again.
        """
        if isinstance(value, FunctionType) and value.__name__ == "<lambda>":
            raise TypeError("a lambda has no name: pass a named function of a module")
        if isinstance(value, FrozenEstimator):
            return [self._class(type(value)), *self._content(value.estimator)]
        if is_dataclass(value) and not isinstance(value, type):
            return [self._class(type(value)), {f.name: self.describe(getattr(value, f.name)) for f in fields(value)}]
        if hasattr(value, "get_params") and not isinstance(value, type):
            output = vars(value).get("_sklearn_output_config") if hasattr(value, "__dict__") else None
            return [self._class(type(value)), self.describe(value.get_params(deep=False)), self.describe(output)]
        parts = self._part(value, self.describe)
        return self._content(value) if parts is None else parts

    def _refer(self, value: Any) -> Any:
        """Return what a value is that code refers to: what cannot be described counts by its class."""
        parts = self._part(value, self._refer)
        if parts is not None:
            return parts
        if hasattr(value, "__next__"):  # it moves on
            return self._class(type(value))
        try:
            return self._content(value)
        except TypeError:
            return self._class(type(value))

    def _part(self, value: Any, each: Any) -> Any:
        """Return what a value is by its kind, None where only its content can say; `each` describes what it holds."""
        if value is None:
            return NONE
        if isinstance(value, np.ndarray) and value.dtype == object:
            return [list(value.shape), each(value.ravel().tolist())]
        if isinstance(value, (bool, int, float, str, np.generic, np.ndarray)):
            return [str(value.dtype), canonical(value)] if isinstance(value, np.ndarray) else canonical(value)
        if isinstance(value, (bytes, complex)):
            return repr(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, MethodType):
            return [each(value.__func__), each(value.__self__)]
        if isinstance(value, functools.partial):
            return ["partial", each(value.func), each(value.args), each(value.keywords)]
        if isinstance(value, ModuleType):
            return self._module(value, frozenset())
        if isinstance(value, (staticmethod, classmethod)):
            return [type(value).__name__, each(value.__func__)]
        if isinstance(value, property):
            return ["property", each(value.fget), each(value.fset), each(value.fdel)]
        if isinstance(value, functools.cached_property):
            return ["property", each(value.func)]
        with self._opened(value) as again:
            if again:
                return ["again"]
            if isinstance(value, Mapping):
                return in_order([each(name), each(item)] for name, item in value.items())
            if isinstance(value, (list, tuple)):
                return [each(item) for item in value]
            if isinstance(value, (set, frozenset)):
                return in_order(each(item) for item in value)
            if callable(value):
                return self._callable(value, each)
            if hasattr(value, "_asdict"):  # Optuna's distributions
                return [self._class(type(value)), each(value._asdict())]
            if hasattr(value, "__dict__") and not is_installed(type(value).__module__):
                return self._instance(value, each)
        return None

    @contextmanager
    def _opened(self, value: Any) -> Iterator[bool]:
        """Say whether a value stands within itself."""
        again = id(value) in self._open
        self._open.add(id(value))
        try:
            yield again
        finally:
            if not again:
                self._open.discard(id(value))

    def _callable(self, value: Any, each: Any) -> Any:
        inner = getattr(value, "__wrapped__", None)  # as of `functools.lru_cache`
        if inner is not None and not hasattr(value, "__dict__"):
            return ["wrapped", each(inner)]
        if inner is not None and isinstance(inner, FunctionType):
            return ["wrapped", self._class(type(value)), self._function(inner)]
        module = getattr(value, "__module__", None)
        if isinstance(value, BuiltinFunctionType) or not hasattr(value, "__dict__"):
            owner = getattr(value, "__self__", None)
            if isinstance(module, str) and not is_installed(module):
                return [getattr(value, "__qualname__", ""), _file_of(module)]
            return None if owner is not None and not isinstance(owner, ModuleType) else self._named(value)
        if is_installed(type(value).__module__):
            return None
        return self._instance(value, each)

    def _named(self, value: Any) -> Any:
        name = getattr(value, "__name__", None)
        if name is None:
            return None
        module = getattr(value, "__module__", None) or "builtins"
        self._note(module)
        return f"{module}.{name}"

    def _instance(self, value: Any, each: Any) -> Any:
        """Return the class and the attributes of an object of the user's; what a call of it changes is none."""
        waiting, changed = {"__call__"}, set()
        seen: set[str] = set()
        while waiting - seen:
            name = min(waiting - seen)
            seen.add(name)
            method = getattr(type(value), name, None)
            if isinstance(method, FunctionType):
                changed |= {what for kind, what in changed_by(method.__code__) if kind == "attribute"}
                waiting |= names_in(method.__code__)[1]
        attributes = [[name, each(item)] for name, item in sorted(vars(value).items()) if name not in changed]
        return [self._class(type(value)), attributes]

    def _content(self, value: Any) -> list[Any]:
        """Return the hash of what a value holds, and the code behind it.

        Raises
        ------
        TypeError
            If it cannot be pickled.
        """
        try:
            return [joblib.hash(value), [self._refer(thing) for thing in _things_in(value)]]
        except Exception as error:  # what pickling raises is up to the objects
            raise TypeError(f"{type(value).__qualname__} cannot be pickled ({error})") from error

    def _note(self, module: str) -> None:
        top = module.partition(".")[0]
        if top not in sys.stdlib_module_names:
            self.packages.add(top)

    def _number(self, thing: Any) -> int | None:
        """Return the number under which a thing was met before; None the first time."""
        number = self._numbers.setdefault(id(thing), len(self._numbers))
        if number < len(self._met):
            return number
        self._met.append(thing)
        return None

    def _class(self, kind: type) -> Any:
        name = f"{kind.__module__}.{kind.__qualname__}"
        if is_installed(kind.__module__):
            self._note(kind.__module__)
            return name
        number = self._number(kind)
        if number is not None:
            return ["again", number]
        members = {key: member for key, member in vars(kind).items() if key not in DERIVED}
        functions = [getattr(member, "__func__", member) for member in members.values()]
        codes = [function.__code__ for function in functions if isinstance(function, FunctionType)]
        changed = {name for code in codes for sort, name in changed_by(code) if sort == "count"}
        values = [[key, self._refer(members[key])] for key in sorted(members) if key not in changed]
        return [name, [self._class(base) for base in kind.__bases__], values]

    def _function(self, function: FunctionType) -> Any:
        name = f"{function.__module__}.{function.__qualname__}"
        cells = _cells(function)
        if is_installed(str(function.__globals__.get("__name__", function.__module__))):
            self._note(str(function.__globals__.get("__name__")))
            inner = [getattr(function, "__wrapped__", None), *cells.values()]
            return [name, [self._refer(thing) for value in inner for thing in _own(value)]]
        number = self._number(function)
        if number is not None:
            return ["again", number]
        code = function.__code__
        changed = changed_by(code)
        return [
            name,
            instructions(code),
            self._refer(function.__defaults__),
            self._refer(function.__kwdefaults__),
            [[cell, self._refer(cells[cell])] for cell in sorted(cells) if ("cell", cell) not in changed],
            [[name, value] for name, value in self._globals(function)],
        ]

    def _globals(self, function: FunctionType) -> Iterator[tuple[str, Any]]:
        """Yield what a function refers to outside itself, by name."""
        names, attributes, imports = names_in(function.__code__)
        for name in sorted(names):
            value = function.__globals__.get(name)
            if isinstance(value, ModuleType):
                yield name, self._module(value, attributes)
            elif name in function.__globals__ and ("global", name) not in changed_by(function.__code__):
                yield name, self._refer(value)
        for name in sorted(imports):
            module = _imported(name, function.__globals__.get("__package__"))
            if module is not None:
                yield f"import {name}", self._module(module, attributes)

    def _module(self, module: ModuleType, attributes: frozenset[str]) -> Any:
        name = module.__name__
        if is_installed(name):
            self._note(name)
            return name
        with self._opened(module) as again:
            if again:
                return name
            inside: list[Any] = []
            for attribute in sorted(attributes & set(vars(module))):
                value = vars(module)[attribute]
                content = self._module(value, attributes) if isinstance(value, ModuleType) else self._refer(value)
                inside.append([attribute, content])
            return [name, inside]


def _cells(function: FunctionType) -> dict[str, Any]:
    cells = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            cells[name] = cell.cell_contents
        except ValueError:  # not filled yet
            cells[name] = None
    return cells


def _own(value: Any) -> Iterator[Any]:
    """Yield the functions and classes of the user's in what a decorator of a package holds."""
    things = list(value.values()) if isinstance(value, Mapping) else value
    for thing in things if isinstance(things, (list, tuple)) else [things]:
        plain = getattr(thing, "__func__", thing)
        if isinstance(plain, FunctionType):
            if not is_installed(str(plain.__globals__.get("__name__"))) or hasattr(plain, "__wrapped__"):
                yield thing
        elif isinstance(plain, type) and not is_installed(plain.__module__):
            yield thing


def _imported(name: str, package: Any) -> ModuleType | None:
    """Return a module of the user's that code imports when it runs."""
    for full_name in (name, f"{package}.{name}" if package else name):
        if full_name in sys.modules:
            return sys.modules[full_name]
    try:
        return importlib.import_module(name) if not is_installed(name) else None
    except Exception:  # the code will say so
        return None


def _file_of(module: str) -> str:
    """Return the hash of the file of compiled code that is no installed package's.

    Raises
    ------
    TypeError
        If there is none.
    """
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        raise TypeError(f"the code of {module} cannot be read, nor is it an installed package: install it")
    return hashlib.blake2b(File(file).read_bytes(), digest_size=16).hexdigest()


class _Nowhere(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        return len(memoryview(content).cast("B"))


class _Finder(pickle.Pickler):
    """Notes the functions and classes of the user's in what it pickles."""

    def __init__(self) -> None:
        super().__init__(_Nowhere(), protocol=pickle.HIGHEST_PROTOCOL)
        self.things: list[Any] = []

    def persistent_id(self, thing: Any) -> None:
        own = isinstance(thing, FunctionType) or (isinstance(thing, type) and not is_installed(thing.__module__))
        if own and not any(thing is other for other in self.things):
            self.things.append(thing)


def _things_in(value: Any) -> list[Any]:
    finder = _Finder()
    finder.dump(value)
    return finder.things
