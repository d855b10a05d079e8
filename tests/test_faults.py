"""Workers and nodes that die, values that go, models that hang: the search goes on and is the same, or says why not.

One cluster serves the module: a test that kills nodes leaves as many behind as it found.
"""

import ctypes
import gc
import itertools
import operator
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import psutil
import pytest
import ray
import ray.cloudpickle
import test_ray_search
from clusters import Nodes, cluster_of
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.pruners import NopPruner
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from test_ray_search import MEASURED, same_search, search_for, small

from multihop_search import HardLabels, MultihopSearchClassifier, OwnFit, Scheme, TransferSet
from multihop_search.errors import ClusterLost, FailedTrialsWarning, HopTimeout, UnsuitableModel, WorkerLost
from multihop_search.executors import Executor
from multihop_search.executors.attempts import MOST_ATTEMPTS, MOST_TIMEOUTS
from multihop_search.executors.nested import inside_worker
from multihop_search.executors.ray import RayExecutor, RaySession, connection
from multihop_search.executors.ray import session as sessions

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import the tests

pytestmark = [
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # clusters leave files and processes open
]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with cluster_of(2) as nodes:
        yield nodes


@pytest.fixture
def start(nodes: Nodes) -> Iterator[Callable[..., RaySession]]:
    """Start sessions that are closed after the test."""
    started = []

    def start(hop_timeout: float | None = None, **settings: Any) -> RaySession:
        started.append(RayExecutor(**settings).start(hop_timeout))
        return started[-1]

    yield start
    for session in started:
        session.close()


@pytest.fixture
def without_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray itself neither runs a task again nor brings a value back."""
    options = RayExecutor._options
    monkeypatch.setattr(RayExecutor, "_options", lambda self, **more: {**options(self, **more), "max_retries": 0})


# ---- hops that meet a fault


def hang_in_c(library: Any) -> None:
    """Lock a lock twice, by a call that no signal ends."""
    lock = ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(lock)
    library.pthread_mutex_lock(lock)


def loop() -> None:
    while True:
        try:
            sum(range(1000))
        except Exception:
            continue


FAULTS: dict[str, Callable[[], Any]] = {
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda: ctypes.string_at(0),
    "exit": lambda: os._exit(1),
    "loop": loop,
    "sleep": lambda: time.sleep(1000),
    "the node is killed": lambda: time.sleep(60),
    "hang in C": lambda: hang_in_c(ctypes.CDLL(None)),
    "hang in C with the interpreter's lock": lambda: hang_in_c(ctypes.PyDLL(None)),
}


def node_id() -> str:
    return str(ray.get_runtime_context().get_node_id())


def meet(folder: Path, number: int, fault: str, fn: Callable[..., Any], *args: Any) -> Any:
    """Note this run, meet the fault if it is the first one, and go on."""
    runs = folder / str(number)
    first = not runs.exists()
    with runs.open("a") as stream:
        stream.write(f"{node_id()}\n")
    if first and fault:
        FAULTS[fault]()
    time.sleep(0.05)  # so that nodes die in the middle
    return fn(*args)


def meet_always(folder: Path, number: int, fault: str) -> None:
    """Note this run and meet the fault."""
    with (folder / str(number)).open("a") as stream:
        stream.write(f"{node_id()}\n")
    FAULTS[fault]()


@dataclass(frozen=True)
class Faulty(Executor):
    """An executor that notes where each hop runs, and some of whose hops meet a fault."""

    executor: RayExecutor
    folder: Path
    faults: Mapping[int, str]
    """By number of the hop, in the order of submission."""

    def start(self, *args: Any) -> Any:
        return _FaultySession(self.executor.start(*args), self)

    def runs(self) -> dict[int, list[str]]:
        """Return the nodes on which each hop was begun."""
        return {int(file.name): file.read_text().split() for file in self.folder.iterdir()}


class _FaultySession:
    def __init__(self, session: RaySession, plan: Faulty) -> None:
        self._session, self._plan, self._numbers = session, plan, itertools.count()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def submit(self, fn: Callable[..., Any], *args: Any) -> Any:
        number = next(self._numbers)
        fault = self._plan.faults.get(number, "")
        return self._session.submit(meet, self._plan.folder, number, fault, fn, *args)


TREE = DecisionTreeClassifier(max_depth=2)


def dull(student: Any = TREE, **settings: Any) -> MultihopSearchClassifier:
    """A search whose hops all succeed: 2 folds, 9 trials."""
    return search_for(student, **{"schemes": [HardLabels()], "n_trials": 9, "cv": 2, **settings})


LONG: dict[str, Any] = {"n_trials": 20, "cv": 4, "pruner": NopPruner()}
"""Settings of a search of 84 hops; without them, 24."""


def note(folder: Path, name: str, *above: np.ndarray) -> np.ndarray:
    with (folder / name).open("a") as stream:
        stream.write("x")
    return np.sum(above, axis=0) + np.ones(500)


# ---- memory: first in the file, while no other cluster is up


def grow(file: Path, times: int) -> str:
    """Take 3 GB in the first runs, until somebody ends this process."""
    with file.open("a") as stream:
        stream.write("x")
    if len(file.read_text()) <= times:
        held = [np.ones(2**24) for _ in range(24)]
        time.sleep(20)
        del held
    return "done"


@pytest.mark.slow
def test_a_hop_that_takes_too_much_memory_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = psutil.virtual_memory()
    if memory.available < 6e9:
        pytest.skip("6 GB of free memory are needed")
    monkeypatch.setenv("RAY_memory_usage_threshold", f"{1 - (memory.available - 1.2e9) / memory.total:.3f}")
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "100")
    monkeypatch.setattr(sessions, "MOST_RUNS", 3)
    with cluster_of(1):
        session = RayExecutor(n_workers=1).start()
        assert "RAY_task_oom_retries" not in os.environ  # a guest cannot set it any more
        assert session.result(session.submit(grow, tmp_path / "once", 1)) == "done"
        hungry = session.submit(grow, tmp_path / "always", 1000)
        with pytest.raises(WorkerLost, match="ended in 3 runs of 3, most likely for want of memory"):
            session.result(session.submit(operator.not_, hungry))
        assert session.result(session.submit(operator.add, 1, 1)) == 2
        session.close()
    assert (tmp_path / "once").read_text() == "xx"
    assert (tmp_path / "always").read_text() == "xxx"


@pytest.mark.slow
def test_a_lineage_that_ray_has_forgotten_is_kept_here(tmp_path: Path) -> None:
    with cluster_of(1, max_lineage_bytes=1) as nodes:
        session = RayExecutor(n_workers=1).start()
        root = session.submit(note, tmp_path, "root")
        session.wait([root])
        nodes.kill(nodes.here[0])
        nodes.add()
        assert session.result(session.submit(note, tmp_path, "leaf", root))[0] == 2
        assert root.call.n_sends == 2
        session.close()


# ---- workers that die


@pytest.mark.parametrize(
    ("faults", "settings"),
    [
        ({6: "SIGKILL", 8: "segfault"}, {}),
        pytest.param(dict.fromkeys(range(3, 83, 4), "SIGKILL"), LONG, marks=pytest.mark.slow),
    ],
    ids=["two ways", "20 times"],
)
def test_a_search_outlives_its_workers(
    nodes: Nodes, blobs: Any, tmp_path: Path, faults: dict[int, str], settings: dict[str, Any]
) -> None:
    faulty = Faulty(RayExecutor(n_workers=2), tmp_path, faults)
    same_search(dull(**settings).fit(*blobs), dull(executor=faulty, **settings).fit(*blobs), blobs[0])
    assert {number for number, runs in faulty.runs().items() if len(runs) > 1} == set(faults)


# ---- nodes and values that go


@pytest.mark.parametrize(
    ("hops", "settings"),
    [((9,), {}), pytest.param(range(5, 75, 7), LONG, marks=pytest.mark.slow)],
    ids=["once", "10 times"],
)
@pytest.mark.parametrize("retries", ["Ray's", pytest.param("ours", marks=pytest.mark.slow)])
def test_a_search_outlives_its_nodes(
    *,
    nodes: Nodes,
    blobs: Any,
    tmp_path: Path,
    hops: Any,
    settings: dict[str, Any],
    retries: str,
    request: pytest.FixtureRequest,
) -> None:
    """The nodes that run some hops are killed in the middle of these, and others join."""
    if retries == "ours":
        request.getfixturevalue("without_retries")
    faulty = Faulty(RayExecutor(n_workers=2), tmp_path, dict.fromkeys(hops, "the node is killed"))
    dead = []

    def replace_nodes() -> None:
        for number in hops:
            while not (tmp_path / str(number)).exists() or not faulty.runs()[number]:
                time.sleep(0.02)
            (node,) = [node for node in nodes.here if node.node_id == faulty.runs()[number][0]]
            nodes.kill(node)
            dead.append(node.node_id)
            nodes.add()

    killer = threading.Thread(target=replace_nodes, daemon=True)
    killer.start()
    found = dull(executor=faulty, **settings).fit(*blobs)
    killer.join(60)
    same_search(dull(**settings).fit(*blobs), found, blobs[0])
    assert len(dead) == len(hops)
    again = {number: runs for number, runs in faulty.runs().items() if len(runs) > 1}
    assert set(again) >= set(hops)
    assert {node for runs in again.values() for node in runs[:-1]} <= set(dead), "what was not lost was computed again"


@pytest.fixture
def special(nodes: Nodes) -> Iterator[list[Any]]:
    """A further node, the only one with a resource that hops may ask for."""
    here = [nodes.add(special=1)]
    yield here
    for node in here:
        nodes.kill(node)


SPECIAL = {"ray_options": {"resources": {"special": 1}}}


@pytest.mark.usefixtures("without_retries")
def test_what_ray_cannot_bring_back_is_computed_again_once(
    nodes: Nodes, special: list[Any], start: Any, tmp_path: Path
) -> None:
    session = start(**SPECIAL)
    forgotten, root = session.submit(note, tmp_path, "forgotten"), session.submit(note, tmp_path, "root")
    middle = session.submit(note, tmp_path, "middle", forgotten, root)
    other = session.submit(note, tmp_path, "other")
    while not (session.ready(middle) and session.ready(other)):
        session.wait([middle, other])
    small = session.submit(operator.add, 1, 1)
    assert session.result(small) == 2
    del forgotten
    gc.collect()
    nodes.kill(special.pop())
    special.append(nodes.add(special=1))
    leaves = [session.submit(note, tmp_path, f"leaf{number}", middle, root) for number in range(3)]
    assert [session.result(leaf)[0] for leaf in leaves] == [5, 5, 5]
    assert session.result(middle)[0] == 3
    assert session.result(small) == 2
    runs = {file.name: len(file.read_text()) for file in tmp_path.iterdir()}
    assert runs == {"forgotten": 2, "root": 2, "middle": 2, "other": 1, "leaf0": 1, "leaf1": 1, "leaf2": 1}


def fail(folder: Path) -> None:
    note(folder, "failed")
    raise ZeroDivisionError


def test_a_call_is_not_sent_for_ever(start: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(sessions, "is_loss", lambda error: isinstance(error, ZeroDivisionError))
    session = start()
    with pytest.raises(ZeroDivisionError):
        session.result(session.submit(operator.not_, session.submit(fail, tmp_path)))
    assert len((tmp_path / "failed").read_text()) == sessions.MOST_SENDS * MOST_ATTEMPTS == 12


def test_a_node_that_nobody_has_is_told_in_words(
    nodes: Nodes, special: list[Any], start: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(sessions, "LOOK_S", 0.3)
    session = start(**SPECIAL)
    nodes.kill(special.pop())
    late = session.submit(operator.add, 1, 1)
    timer = threading.Timer(1.0, lambda: special.append(nodes.add(special=1)))  # as a cluster that grows by itself
    timer.start()
    assert session.result(late) == 2
    timer.join()
    nodes.kill(special.pop())
    monkeypatch.setattr(sessions, "PLACE_S", 1.5)
    began = time.monotonic()
    with pytest.raises(ClusterLost, match=r"must have 1 CPU, 1 special for a hop, none of 3 has had it for 1\.5 s"):
        session.result(session.submit(operator.add, 1, 1))
    assert time.monotonic() - began < 30


# ---- hops that take too long


def some_of(*faults: str) -> list[Any]:
    """Return the ways to hang; those that another test tries too are slow."""
    ways = ["loop", "sleep", "hang in C", "hang in C with the interpreter's lock"]
    return [way if way in faults else pytest.param(way, marks=pytest.mark.slow) for way in ways]


@pytest.mark.parametrize("fault", some_of("loop", "hang in C"))
def test_a_hop_that_hangs_once_is_ended_and_run_again(start: Any, tmp_path: Path, fault: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(sessions, "GRACE_S", 2.0)
    session = start(1.0)
    assert session.result(session.submit(meet, tmp_path, 0, fault, operator.add, 1, 1)) == 2
    assert len((tmp_path / "0").read_text().split()) == 2


@pytest.mark.parametrize("fault", some_of("sleep", "hang in C with the interpreter's lock"))
def test_a_hop_that_hangs_is_ended_twice_and_not_run_again(
    start: Any, tmp_path: Path, fault: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(sessions, "GRACE_S", 2.0)
    session = start(1.0)
    began = time.monotonic()
    stuck = session.submit(meet_always, tmp_path, 0, fault)
    dependant = session.submit(operator.add, session.submit(operator.add, stuck, 1), 1)
    end = "its worker had to be ended 2 s later" if "hang" in fault else "it was stopped"
    for future in (dependant, stuck):
        with pytest.raises(HopTimeout, match=rf"within hop_timeout=1 s, it still ran and {end}: raise hop_timeout"):
            session.result(future)
    assert time.monotonic() - began < 60
    assert len((tmp_path / "0").read_text().split()) == MOST_TIMEOUTS
    assert session.result(session.submit(operator.add, 1, 1)) == 2
    for name in (stuck.call.task.name, f"{stuck.call.task.name}_before"):
        assert not (Path(tempfile.gettempdir()) / f"multihop_search_{name}").exists()


def swallow(seconds: float) -> str:
    """Catch what may end this, and come back a little later."""
    try:
        time.sleep(seconds)
    except BaseException:
        return "nothing happened"
    return "slept"


def hide(seconds: float) -> None:
    try:
        time.sleep(seconds)
    except BaseException:
        raise ValueError("all fits failed") from None


@pytest.mark.parametrize("fn", [swallow, hide])
def test_what_comes_late_counts_as_late(start: Any, fn: Any) -> None:
    session = start(0.5)
    with pytest.raises(HopTimeout, match="it was stopped"):
        session.result(session.submit(fn, 60))


def test_the_clock_begins_with_the_hop(start: Any, tmp_path: Path) -> None:
    """Neither waiting for a worker nor a worker that dies in time counts."""
    session = start(1.2, n_workers=8)  # on 2 CPUs
    waiting = [session.submit(time.sleep, 0.6) for _ in range(6)]
    shared = session.share(np.ones(5))
    died = session.submit(meet, tmp_path, 0, "exit", np.sum, shared)
    assert [session.result(future) for future in waiting] == [None] * 6
    assert session.result(died) == 5
    quick = [session.submit(swallow, 0.01) for _ in range(20)]
    assert {session.result(future) for future in quick} == {"slept"}


@dataclass(frozen=True)
class Tiring(Scheme):
    """Passes on the upper model's probabilities; some of its kind never come back from a worker."""

    care: float | BaseDistribution = FloatDistribution(0.0, 1.0)
    usual_values: ClassVar[dict[str, Any]] = {"care": 0.5}

    def transfer_set(self, outputs: Any, y: np.ndarray) -> TransferSet:
        fault = "loop" if self.care < 0.3 else "hang in C with the interpreter's lock" if self.care > 0.7 else ""
        if fault and inside_worker():
            FAULTS[fault]()
        if fault:
            end = "it was stopped" if fault == "loop" else "its worker had to be ended 2 s later"
            raise HopTimeout(
                f"a hop must end within hop_timeout=1.5 s, it still ran and {end}: raise hop_timeout, or leave that "
                "model out or make it smaller."
            )
        return TransferSet(outputs.predictions.astype(float), np.ones(len(y)))


def test_models_that_hang_cost_their_trials_only(nodes: Nodes, blobs: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(sessions, "GRACE_S", 2.0)
    half = [(np.arange(120), np.arange(120, 240))]
    usual = {"schemes": [Tiring()], "n_trials": 5, "cv": half, "tree_fits": [OwnFit()], "random_state": 10}

    def fitted(**settings: Any) -> MultihopSearchClassifier:
        with pytest.warns(FailedTrialsWarning, match="by HopTimeout: a hop must end within hop_timeout=1.5 s"):
            return dull(**usual, **settings).fit(*blobs)

    expected = fitted()
    reasons = " ".join(expected.results_["reason"])
    assert "it was stopped" in reasons
    assert "had to be ended" in reasons
    same_search(expected, fitted(executor=RayExecutor(n_workers=2), hop_timeout=1.5), blobs[0])


class Once(RandomForestClassifier):
    """A forest whose fits with a certain number of rows meet a fault once, in whatever process."""

    def __init__(self, n_estimators: int = 5, folder: str = "", random_state: Any = None) -> None:
        super().__init__(n_estimators, random_state=random_state)
        self.folder = folder

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        for n_rows, fault in ((240, "probe"), (60, "raise")):
            mark = Path(self.folder, fault)
            if self.folder and len(X) == n_rows and not mark.exists():
                mark.touch()
                if fault == "probe":
                    os._exit(1)
                raise RuntimeError("once")
        return super().fit(X, y, sample_weight)


class Stuck(DecisionTreeClassifier):
    def fit(self, X: Any, y: Any, sample_weight: Any = None, check_input: bool = True) -> Any:
        time.sleep(1000)


def test_workers_protect_the_driver_from_the_first_fits_on(nodes: Nodes, blobs: Any, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"n_trials": 3, "executor": RayExecutor(n_workers=1), "hop_timeout": 2.0}
    faulty = dull(teacher=Once(5, str(tmp_path)), **settings).fit(*blobs)
    serial = dull(teacher=Once(5), n_trials=3).fit(*blobs)
    with pytest.raises(UnsuitableModel, match=r"student \(Stuck\) must be .* it said: a hop must end within"):
        dull(Stuck(max_depth=2), **settings).fit(*blobs)
    assert {file.name for file in tmp_path.iterdir()} == {"probe", "raise"}
    columns = ["state", "score", "reason"]
    assert faulty.results_[columns].equals(serial.results_[columns])
    assert str(faulty.verdict_) == str(serial.verdict_)


# ---- what is no fault of the cluster


class Blank(DecisionTreeClassifier):
    """A tree whose deeper kind knows nothing."""

    def predict_proba(self, X: Any) -> np.ndarray:
        proba = super().predict_proba(X)
        return np.full_like(proba, np.nan) if self.max_depth == 3 else proba


def test_nan_predictions_cost_their_trials_only(nodes: Nodes, blobs: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(test_ray_search, "MEASURED", [*MEASURED, "size_bytes"])  # workers cannot import `Blank`

    def fitted(**settings: Any) -> MultihopSearchClassifier:
        space = {"max_depth": [2, 3]}
        with pytest.warns(FailedTrialsWarning, match="NaN or infinite probabilities"):
            return dull(Blank(max_depth=2), n_trials=8, param_distributions=space, **settings).fit(*blobs)

    same_search(fitted(), fitted(executor=RayExecutor(n_workers=2)), blobs[0])


def lose() -> None:
    raise ray.exceptions.ObjectLostError("00", None, "")


def test_a_model_that_uses_ray_fails_by_itself(start: Any) -> None:
    session = start()
    future = session.submit(lose)
    with pytest.raises(RuntimeError, match=r"^ObjectLostError: Failed to retrieve object 00"):
        session.result(future)
    assert future.call.n_sends == 1


# ---- several searches, and searches in workers


def searched(X: np.ndarray, y: np.ndarray, address: str | None = None) -> MultihopSearchClassifier:
    return small(executor=RayExecutor(address, n_workers=1)).fit(X, y)


def test_processes_share_a_cluster(nodes: Nodes, blobs: Any, tmp_path: Path) -> None:
    (tmp_path / "task").write_bytes(ray.cloudpickle.dumps((searched, *blobs, nodes.address)))
    code = """
        import pickle, sys
        fn, *args = pickle.load(open(sys.argv[1], "rb"))
        print("loaded", flush=True)
        pickle.dump(fn(*args), open(sys.argv[2], "wb"))
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "task"), str(tmp_path / "found")]
    expected = small().fit(*blobs)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loaded\n"  # both searches begin now
        same_search(expected, searched(*blobs), blobs[0])
        said = process.communicate(timeout=120)[1]
        assert process.returncode == 0, said
    same_search(expected, pickle.loads((tmp_path / "found").read_bytes()), blobs[0])


def test_a_guest_leaves_its_process_as_it_was(nodes: Nodes, start: Any) -> None:
    before, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
    session = start()
    assert session.result(session.submit(operator.add, 1, 1)) == 2
    session.close()
    assert dict(os.environ) == before
    assert signal.getsignal(signal.SIGTERM) is handler
    assert ray.is_initialized()


def test_a_search_inside_a_task_uses_ray_if_told_to(nodes: Nodes, blobs: Any) -> None:
    inside = ray.get(ray.remote(max_retries=0)(searched).remote(*blobs), timeout=90)
    same_search(small().fit(*blobs), inside, blobs[0])


class Trial:
    """Searches like a trial of Ray Tune: in an actor that holds a CPU."""

    def ready(self) -> None:
        """Return when the actor is there."""

    def search(self, X: np.ndarray, y: np.ndarray, patience_s: float) -> Any:
        connection.ANSWER_S = 2 * patience_s
        began = time.monotonic()
        try:
            return searched(X, y)
        except ClusterLost as error:
            return time.monotonic() - began, str(error)


def test_actors_that_hold_every_cpu_are_told_so(nodes: Nodes, blobs: Any) -> None:
    kind = ray.remote(num_cpus=1)(Trial)
    one = kind.remote()
    free = ray.get(one.search.remote(*blobs, 30.0), timeout=90)
    same_search(small().fit(*blobs), free, blobs[0])
    two = kind.remote()
    ray.get(two.ready.remote())
    seconds, text = ray.get(one.search.remote(*blobs, 1.5), timeout=60)
    assert 1.5 <= seconds < 30
    assert "must take a task of 1 CPUs within 1.5 s, none did, 0 of 2 CPUs are free: leave the executor out" in text
    for actor in (one, two):
        ray.kill(actor)
