"""Models as ONNX: a graph in double precision, made of the formula; converters calculate in single precision.

Trees say which leaf a row falls into; what the leaves hold is looked up and added in double precision.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from multihop_search.errors import UnsuitableModel
from multihop_search.models.formula import (
    Above,
    Among,
    AtMost,
    Cases,
    Feature,
    Formula,
    Leaf,
    Number,
    Split,
    Test,
    rules,
)

OPSETS = {"": 19, "ai.onnx.ml": 3}
IR_VERSION = 9
CALCULATIONS = {"subtract": "Sub", "divide": "Div", "multiply": "Mul", "add": "Add"}


def as_onnx(formula: Formula) -> Any:
    """Return a checked `onnx.ModelProto`.

    Its input is ``X`` (n_rows, n_columns), doubles in the order of `formula.columns`, which stand in its metadata under
    "columns". Where the model does not take numbers in every column, its inputs are those that it looks at, each
    (n_rows, 1), of doubles or strings, under their own names. Missing is NaN in doubles, the empty string in strings.
    Its outputs are ``label`` (n_rows,) and, where the model gives them, ``probabilities`` (n_rows, n_classes), or
    ``prediction`` (n_rows,) in regression; an underscore follows a name that a column has.

    Raises
    ------
    UnsuitableModel
        If an empty string and a missing value are different categories, or a name is no Unicode.
    """
    from onnx import checker, helper

    graph = _Graph(formula)
    try:
        graph.write()
        width = len(formula.columns) if formula.is_matrix else 1
        inputs = [helper.make_tensor_value_info(name, kind, ["rows", width]) for name, kind in graph.inputs.items()]
        onnx_graph = helper.make_graph(graph.nodes, formula.name, inputs, graph.outputs, graph.constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        model = helper.make_model(
            onnx_graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="multihop_search"
        )
        helper.set_model_props(model, {"columns": json.dumps(formula.columns)})
    except UnicodeEncodeError as error:
        raise UnsuitableModel(f"names, labels and categories must be Unicode, {error.object!r} is not.") from error
    checker.check_model(model, full_check=True)
    return model


class _Graph:
    """A graph under construction: each method adds nodes and returns the name of what they give."""

    def __init__(self, formula: Formula) -> None:
        from onnx import TensorProto, helper, numpy_helper

        self.formula = formula
        self._place = {column: place for place, column in enumerate(formula.columns)}
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: dict[str, int] = {}
        self.outputs: list[Any] = []
        self._types, self._helper, self._to_tensor = TensorProto, helper, numpy_helper.from_array
        self._known: dict[Any, str] = {}

    def write(self) -> None:
        """Add everything, from the inputs to the outputs."""
        formula, scores = self.formula, self._scores()
        if formula.classes is None:
            value = self._op("Exp", scores) if formula.link == "exp" else scores
            self._give("prediction", self._op("Reshape", value, self._constant(np.array([-1]))), self._types.DOUBLE, [])
            return
        if formula.is_one_score:
            above = self._op("Greater", scores, self._constant(0.0))
            best = self._op("Reshape", self._cast(above), self._constant(np.array([-1])))
        else:
            best = self._op("ArgMax", scores, axis=1, keepdims=0)
        labels = np.array(formula.classes, dtype=object if isinstance(formula.classes[0], str) else None)
        kind = self._helper.np_dtype_to_tensor_dtype(labels.dtype)
        self._give("label", self._op("Gather", self._constant(labels), best), kind, [])
        if formula.link != "none":
            self._give("probabilities", self._shares(scores), self._types.DOUBLE, [len(formula.classes)])

    def _free(self, name: str) -> str:
        while name in self.formula.columns:
            name += "_"
        return name

    def _op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        name = self._free(f"n{len(self.nodes)}")
        self.nodes.append(self._helper.make_node(kind, list(inputs), [name], domain=domain, **attributes))
        return name

    def _constant(self, values: Any) -> str:
        name = self._free(f"c{len(self.constants)}")
        self.constants.append(self._to_tensor(np.asarray(values), name))
        return name

    def _cast(self, value: str) -> str:
        return self._op("Cast", value, to=self._types.INT64)

    def _give(self, name: str, value: str, kind: int, width: list[int]) -> None:
        name = self._free(name)
        self.nodes.append(self._helper.make_node("Identity", [value], [name]))
        self.outputs.append(self._helper.make_tensor_value_info(name, kind, ["rows", *width]))

    def _columns(self, names: list[str], kind: int) -> str:
        """Return columns (n_rows, n_names)."""
        if self.formula.is_matrix:
            self.inputs["X"] = kind
            return self._op("Gather", "X", self._constant(np.array(list(map(self._place.get, names)))), axis=1)
        self.inputs |= dict.fromkeys(names, kind)
        return self._op("Concat", *names, axis=1)

    def _matrix(self, features: Sequence[Feature]) -> str:
        """Return features (n_rows, n_features); those to which the same is done stand together."""
        blocks = []
        for _, group in groupby(features, key=_kinds):
            alike = list(group)
            numbers = [feature for feature in alike if isinstance(feature, Number)]
            blocks += [self._numbers(numbers)] if numbers else []
            blocks += [self._cases(feature) for feature in alike if isinstance(feature, Cases)]
        return self._op("Concat", *blocks, axis=1)

    def _numbers(self, features: Sequence[Number]) -> str:
        values = self._columns([feature.column for feature in features], self._types.DOUBLE)
        for step, (kind, _) in enumerate(features[0].steps):
            by = self._constant(np.array([feature.steps[step][1] for feature in features]))
            if kind == "impute":
                values = self._op("Where", self._op("IsNaN", values), by, values)
            elif kind == "above":
                values = self._op("Cast", self._op("Greater", values, by), to=self._types.DOUBLE)
            else:
                values = self._op(CALCULATIONS[kind], values, by)
        return values

    def _cases(self, cases: Cases) -> str:
        if cases.is_beyond_doubles:
            raise UnsuitableModel(
                f"in ONNX a category must be a string or a double, column {cases.column!r} has integers beyond 2^53: "
                "export to .py, .sql or .skops."
            )
        values, numbers = [value for value, _ in cases.numbers], [number for _, number in cases.numbers]
        if "" not in values:
            values, numbers = [*values, "" if cases.is_text else np.nan], [*numbers, cases.missing]
        elif cases.missing != dict(cases.numbers)[""] and not np.isnan(cases.missing):
            raise UnsuitableModel(
                f"in ONNX an empty string is a missing category, in column {cases.column!r} they are different ones: "
                "export to .skops."
            )
        table = self._constant(np.array([cases.other, *numbers]))
        return self._op("Gather", table, self._category(cases.column, values, is_text=cases.is_text))

    def _category(self, column: str, values: list[Any], *, is_text: bool) -> str:
        """Return the place, from 1, of each row's category among `values`, 0 where it is none of them (n_rows, 1)."""
        key = (column, *map(repr, values))
        if key not in self._known:
            value = self._columns([column], self._types.STRING if is_text else self._types.DOUBLE)
            wanted = self._constant(np.array([values], dtype=object if is_text else np.float64))
            equal = self._op("Equal", value, wanted)
            if not is_text:  # the last is NaN, which equals nothing
                equal = self._op("Or", equal, self._op("And", self._op("IsNaN", value), self._op("IsNaN", wanted)))
            places = self._op("Mul", self._cast(equal), self._constant(np.arange(1, len(values) + 1)))
            self._known[key] = self._op("ReduceSum", places, self._constant(np.array([1])), keepdims=1)
        return self._known[key]

    def _scores(self) -> str:
        """Return the scores (n_rows, n_scores)."""
        formula = self.formula
        if formula.weights:
            weighted = self._op("MatMul", self._matrix(formula.features), self._constant(np.array(formula.weights).T))
            return self._op("Add", weighted, self._constant(np.array([formula.start])))
        leaves = self._leaves()
        totals: dict[int, str] = {}
        for number, tree in enumerate(formula.trees):
            values = np.array([leaf.values for _, leaf in rules(tree.root)])
            start = np.array([formula.start[tree.first : tree.first + values.shape[1]]])
            leaf = self._op("Gather", leaves, self._constant(number), axis=1)
            values_of_leaf = self._op("Gather", self._constant(values), leaf)
            totals[tree.first] = self._op("Add", totals.get(tree.first) or self._constant(start), values_of_leaf)
        scores = self._op("Concat", *totals.values(), axis=1)
        return scores if formula.divisor == 1 else self._op("Div", scores, self._constant(float(formula.divisor)))

    def _leaves(self) -> str:
        """Return the place, from 0, of the leaf that a row falls into in each tree (n_rows, n_trees), int64."""
        features: list[Feature] = list(self.formula.read)
        if not features:  # nothing is looked at, but the rows must be counted
            first = self.formula.columns[0]
            features = [Number(first) if self.formula.is_matrix else Cases(first, (("", 0.0),), 0.0, 0.0)]
        nodes: list[dict[str, Any]] = []
        for number, tree in enumerate(self.formula.trees):
            _add_nodes(nodes, tree.root, number, len(nodes), features)
        leaves = [node for node in nodes if node["modes"] == "LEAF"]
        named = ("treeids", "nodeids", "featureids", "modes", "truenodeids", "falsenodeids")
        attributes: dict[str, Any] = {f"nodes_{key}": [node[key] for node in nodes] for key in named}
        attributes["nodes_missing_value_tracks_true"] = [node["missing"] for node in nodes]
        attributes["nodes_values_as_tensor"] = self._to_tensor(np.array([node["value"] for node in nodes]), "bounds")
        attributes |= {f"target_{key}": [leaf[key] for leaf in leaves] for key in ("treeids", "nodeids")}
        attributes["target_ids"] = attributes["target_treeids"]
        attributes["target_weights_as_tensor"] = self._to_tensor(np.array([leaf["value"] for leaf in leaves]), "leaves")
        leaf_flags = self._op(
            "TreeEnsembleRegressor",
            self._matrix(features),
            domain="ai.onnx.ml",
            n_targets=len(self.formula.trees),
            **attributes,
        )
        return self._cast(leaf_flags)

    def _shares(self, scores: str) -> str:
        """Return the probabilities (n_rows, n_classes)."""
        if self.formula.link == "softmax":
            return self._op("Softmax", scores, axis=1)
        if self.formula.link == "logistic":
            return self._op("Concat", *(self._op("Sigmoid", s) for s in (self._op("Neg", scores), scores)), axis=1)
        if self.formula.link == "one-vs-rest":
            one, none = self._constant(1.0), self._constant(0.0)
            small = self._op("Exp", self._op("Neg", self._op("Abs", scores)))  # Sigmoid is 0 from -710 on
            each = self._op("Div", self._op("Exp", self._op("Min", scores, none)), self._op("Add", small, one))
            total = self._op("ReduceSum", each, self._constant(np.array([1])), keepdims=1)
            equal = self._constant(1.0 / len(self.formula.start))
            return self._op("Where", self._op("Equal", total, none), equal, self._op("Div", each, total))
        return scores


def _kinds(feature: Feature) -> tuple[str, ...] | None:
    return None if isinstance(feature, Cases) else tuple(kind for kind, _ in feature.steps)


def _add_nodes(nodes: list[dict[str, Any]], node: Split | Leaf, tree: int, root: int, features: list[Feature]) -> int:
    """Add a node and those below it, in the words of TreeEnsembleRegressor, and return its number in the tree."""
    number = len(nodes) - root
    row: dict[str, Any] = {"treeids": tree, "nodeids": number, "featureids": 0, "missing": 0}
    row |= {"truenodeids": 0, "falsenodeids": 0}
    nodes.append(row)
    if isinstance(node, Leaf):
        row |= {"modes": "LEAF", "value": node.number - 1.0}
        return number
    # All as "at most", so that the runtime need not ask: where a test says "above", its branches change places.
    bound, is_above = _bound(node.test)
    children = [_add_nodes(nodes, child, tree, root, features) for child in (node.yes, node.no)]
    row |= {"modes": "BRANCH_LEQ", "value": bound, "featureids": features.index(node.test.feature)}
    row |= {"truenodeids": children[is_above], "falsenodeids": children[1 - is_above], "missing": int(is_above)}
    return number


def _bound(test: Test) -> tuple[float, bool]:
    """Return the bound of a test, and whether it is true above rather than up to it."""
    if isinstance(test, (AtMost, Above)):
        return test.double, isinstance(test, Above)
    return (0.5, True) if isinstance(test, Among) else (np.inf, False)
