"""The contract that every executor keeps, for the tests of an executor of your own.

`check_executor(MyExecutor())` is called in a test. It starts the executor several times: calls give the values of plain
calls, arguments may be futures of values to come, errors arrive as they were raised, and a small search gives the same
trials as in this process.
"""

from __future__ import annotations

import operator
import pickle
import tempfile
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from multihop_search.executors import Executor, Session
from multihop_search.search.classifier import MultihopSearchClassifier

COLUMNS = ["trial", "state", "path", "score", "reason"]
LONGEST_WAIT_S = 60.0


def check_executor(executor: Executor) -> None:
    """Raise unless `executor` keeps the contract of executors.

    It can be pickled. A session of it runs functions of values and of futures, in whatever order; a value may be asked
    for again; a call that fails is run again; an error reaches everything that depends on the call that raised it, and
    nothing else; `wait` ends in time; a cancelled call does no harm; `close` may be called twice. A search gives the
    same trials as in this process.

    Parameters
    ----------
    executor : Executor
        Not started.

    Raises
    ------
    AssertionError
        One sentence: what was expected, and what came.

    Examples
    --------
    >>> from multihop_search import SerialExecutor
    >>> check_executor(SerialExecutor())
    """
    for value, name in ((executor.n_workers, "n_workers"), (executor.cpus_per_hop, "cpus_per_hop")):
        _expect(isinstance(value, int) and value >= 1, executor, f"{name} must be an integer of at least 1", value)
    copy = pickle.loads(pickle.dumps(executor))
    _expect(copy == executor, executor, "a pickled copy must be equal: let it be a frozen dataclass", copy)
    with closing(executor.start()) as session:
        _check_values(executor, session)
        _check_errors(executor, session)
    session.close()
    with closing(executor.start()) as session:
        value = session.last_result(session.submit(operator.add, 2, 3))
        _expect(value == 5, executor, "last_result must return the value", value)
    _check_search(executor)


def _check_values(executor: Executor, session: Session) -> None:
    rows = np.arange(1000.0)
    shared = session.share(rows)
    total = session.submit(np.sum, shared)
    chain = [session.submit(operator.add, total, 1)]
    for step in range(2, 5):
        chain.append(session.submit(operator.add, chain[-1], step))
    values = [session.result(future) for future in reversed(chain)]
    wanted = [rows.sum() + sum(range(1, last + 1)) for last in (4, 3, 2, 1)]
    _expect(values == wanted, executor, f"futures of futures must have the values of plain calls, {wanted}", values)
    again = session.result(chain[0])
    _expect(again == values[-1], executor, f"a value may be asked for again, {values[-1]}", again)
    _expect(session.ready(chain[0]) is True, executor, "a future whose value was returned must be ready", False)
    late = session.submit(operator.mul, chain[-1], 2)
    session.wait([late], LONGEST_WAIT_S)
    _expect(session.ready(late) is True, executor, f"a sum must be ready after wait({LONGEST_WAIT_S:g} s)", False)
    idle = session.has_idle_worker()
    _expect(isinstance(idle, bool), executor, "has_idle_worker must return a bool", idle)


def _check_errors(executor: Executor, session: Session) -> None:
    wrong = session.submit(operator.getitem, {}, "a key that is not there")
    above = session.submit(operator.add, wrong, 1)
    beside = session.submit(operator.add, 1, 1)
    for future in (above, wrong, above):
        error = _error(session, future)
        _expect(isinstance(error, KeyError), executor, "what a call raised must reach what depends on it", error)
    value = session.result(beside)
    _expect(value == 2, executor, "an error must not reach what does not depend on it", value)
    with tempfile.TemporaryDirectory() as folder:
        value = session.result(session.submit(_second_time, folder))
    _expect(value == "second", executor, "a call that fails must be run again where it ran: see `attempted`", value)
    session.cancel(session.submit(operator.add, 1, 2))
    value = session.result(session.submit(operator.add, 3, 4))
    _expect(value == 7, executor, "what is submitted after a cancelled call must run", value)


def _second_time(folder: str) -> str:
    """Fail at the first call."""
    file = Path(folder, "called")
    if file.exists():
        return "second"
    file.parent.mkdir(exist_ok=True)
    file.touch()
    raise ValueError("the first call fails")


def _error(session: Session, future: Any) -> Exception | None:
    try:
        session.result(future)
    except Exception as error:
        return error
    return None


def _check_search(executor: Executor) -> None:
    X, y = make_classification(120, random_state=0)
    tables = []
    for where in (None, executor):
        search = MultihopSearchClassifier(
            DecisionTreeClassifier(max_depth=2),
            RandomForestClassifier(5),
            n_trials=8,
            cv=3,
            crossfit_cv=2,
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            search.set_params(executor=where).fit(X, y)
        tables.append(search.results_[COLUMNS])
    same = tables[0].equals(tables[1])
    _expect(same, executor, f"a search must tell the trials that it tells in this process, {tables[0]}", tables[1])


def _expect(holds: bool, executor: Executor, words: str, came: Any) -> None:
    if not holds:
        raise AssertionError(f"{type(executor).__name__}: {words}, got {came!r}")
