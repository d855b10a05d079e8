"""Bytecode: what a function of the user's does, which names it reads, and what it changes outside itself."""

from __future__ import annotations

import dis
import functools
import hashlib
import json
from collections.abc import Iterable, Iterator
from types import CodeType
from typing import Any

CONSTANTS = (str, int, float, complex, bytes, type(None), type(...))
CHANGES = frozenset(
    {"add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "setdefault"}
    | {"reverse", "sort", "update"}
)
"""Methods of containers that change them."""
STORED = {"STORE_GLOBAL": "global", "DELETE_GLOBAL": "global", "STORE_DEREF": "cell", "STORE_ATTR": "attribute"}
LOADED = {
    "LOAD_GLOBAL": ("global",),
    "LOAD_NAME": ("global",),
    "LOAD_DEREF": ("cell",),
    "LOAD_ATTR": ("attribute", "count"),
}


def in_order(items: Iterable[Any]) -> list[Any]:
    """Return plain data in an order of its own: sets and mappings have none that is equal in every process."""
    return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return instructions(value)
    if isinstance(value, tuple):
        return ["tuple", *map(_constant, value)]
    if isinstance(value, frozenset):
        return ["frozenset", *in_order(map(_constant, value))]
    if isinstance(value, CONSTANTS):
        return f"{type(value).__name__} {value!r}"
    return getattr(value, "__qualname__", type(value).__qualname__)


@functools.lru_cache(maxsize=1024)
def _hash_of(code: CodeType) -> str:
    steps = [[step.opname, _constant(step.argval)] for step in dis.get_instructions(code) if step.opname != "NOP"]
    n_arguments = code.co_argcount + code.co_kwonlyargcount
    arguments = [code.co_argcount, code.co_posonlyargcount, *code.co_varnames[:n_arguments], code.co_flags & 0x3FF]
    text = json.dumps([arguments, steps, code.co_exceptiontable.hex()])
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def instructions(code: CodeType) -> str:
    """Return the hash of what code does; where it stands in a file, and what is said of it, is left out."""
    return _hash_of(code)


def _inner(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _inner(constant)


def names_in(code: CodeType) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return the global names that code reads, all names of attributes in it, and the modules that it imports."""
    names, attributes, imports = set(), set(), set()
    for inner in _inner(code):
        attributes |= set(inner.co_names)
        for step in dis.get_instructions(inner):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"):
                names.add(str(step.argval))
            elif step.opname == "IMPORT_NAME":
                imports.add(str(step.argval))
    return frozenset(names), frozenset(attributes), frozenset(imports)


@functools.lru_cache(maxsize=1024)
def changed_by(code: CodeType) -> frozenset[tuple[str, str]]:
    """Return what code changes outside itself, as (kind, name): names bound anew, and containers written to.

    Kinds are "global", "cell", "attribute", and "count" for attributes that are counted up or written to.
    """
    changed: set[tuple[str, str]] = set()
    for inner in _inner(code):
        steps = [step for step in dis.get_instructions(inner) if step.opname not in ("NOP", "CACHE")]
        for place, step in enumerate(steps):
            before = [one.opname for one in steps[max(0, place - 2) : place]]
            if step.opname in STORED:
                kinds = ["attribute", "count"] if before[-1:] == ["SWAP"] else ["attribute"]
                kinds = kinds if step.opname == "STORE_ATTR" else [STORED[step.opname]]
                changed |= {(kind, step.argval) for kind in kinds}
            elif step.opname in ("STORE_SUBSCR", "DELETE_SUBSCR") and place > 1:
                changed |= _loaded(steps[place - 2])
            elif (step.opname == "BINARY_SUBSCR" or step.argrepr == "[]") and before == ["COPY", "COPY"]:
                changed |= _loaded(steps[place - 4])
            elif step.opname in ("LOAD_ATTR", "LOAD_METHOD") and step.argval in CHANGES and place:
                changed |= _loaded(steps[place - 1])
        changed -= {("cell", name) for name in inner.co_cellvars}
    return frozenset(changed)


def _loaded(step: dis.Instruction) -> set[tuple[str, str]]:
    kinds = next((kinds for begin, kinds in LOADED.items() if step.opname.startswith(begin)), ())
    return {(kind, step.argval) for kind in kinds}
