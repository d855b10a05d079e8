"""One contract for all executors, then what only Ray must do; one local Ray serves the whole module."""

import gc
import itertools
import operator
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import time
import uuid
import weakref
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import ray
import ray.cloudpickle

import multihop_search
from multihop_search.errors import ClusterLost, InvalidSetting, WorkerLost
from multihop_search.executors import SerialExecutor, memory
from multihop_search.executors.nested import inside_worker
from multihop_search.executors.ray import RayExecutor, RaySession, connection, translation
from multihop_search.search.where import known_executor

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import the tests


@pytest.fixture(scope="module")
def on_ray() -> Iterator[RaySession]:
    session = RayExecutor(n_workers=2).start()
    yield session
    session.close()


@pytest.fixture(params=["serial", "ray"])
def session(request: pytest.FixtureRequest) -> Any:
    return SerialExecutor().start() if request.param == "serial" else request.getfixturevalue("on_ray")


# ---- what hops do in these tests


def append(file: Path, value: Any) -> Any:
    """Return `value` and leave one line for each run."""
    with file.open("a") as stream:
        stream.write(f"{value}\n")
    return value


def after(seconds: float, value: Any) -> Any:
    time.sleep(seconds)
    return value


class Large:
    packed_in_transit = True

    def __init__(self, size: int) -> None:
        self.zeros = np.zeros(size)


def environment() -> dict[str, str]:
    return dict(os.environ)


def resident() -> tuple[int, int]:
    return os.getpid(), psutil.Process().memory_info().rss


class Blocks:
    """An eighth of a gigabyte in small blocks, of which every fiftieth stays, as others do when a forest is freed."""

    def __init__(self) -> None:
        self.before = resident()
        self.blocks = [np.ones(8000) for _ in range(2000)]
        sys.kept_by_this_test = self.blocks[::50]  # type: ignore[attr-defined]


class LargeBlocks(Blocks):
    packed_in_transit = True


def fill_and_free() -> Any:
    made = Blocks()
    del made.blocks
    return made


def spell(file: Path, seconds: float) -> None:
    began = time.time()
    time.sleep(seconds)
    append(file, f"{began} {time.time()}")


def spin(folder: Path, seconds: float) -> None:
    (folder / "began").touch()
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        (folder / "ended").touch()


def appears(file: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return file.exists()


def die_once(marker: Path) -> str:
    if not marker.exists():
        marker.touch()
        os._exit(1)
    return "alive"


def die(marker: Path) -> None:
    append(marker, "x")
    os._exit(1)


class TwoArguments(Exception):
    """Cannot be unpickled by its own class: one argument is missing."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__(f"{left} and {right}")
        self.right = right


class Prefixed(Exception):
    """Says more after each pickling."""

    def __init__(self, what: str) -> None:
        super().__init__(f"bad {what}")


class Locked(Exception):
    """Cannot be pickled at all."""

    def __init__(self) -> None:
        super().__init__("is locked")
        self.lock = threading.Lock()


def fail(kind: type[Exception], *args: Any) -> None:
    raise kind(*args)


class Counted:
    """Leaves a file for each time that it is unpickled."""

    def __init__(self, folder: Path, values: np.ndarray) -> None:
        self.folder, self.values = folder, values

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        (self.folder / f"{os.getpid()}_{uuid.uuid4()}").touch()


def total(counted: Counted, plus: int) -> tuple[int, float]:
    time.sleep(0.05)  # so that both workers have a share
    return os.getpid(), float(counted.values.sum()) + plus


# ---- the contract


def test_futures_of_futures_have_the_values_of_plain_calls(session: Any) -> None:
    future, layers = session.submit(operator.add, 0, 1), []
    for number in range(30):  # more than are in flight
        layers.append(future)
        future = session.submit(operator.add, future, layers[number // 2])
    expected = [1]
    for number in range(30):
        expected.append(expected[number] + expected[number // 2])
    assert session.result(future) == expected[-1]
    assert [session.result(layer) for layer in layers] == expected[:-1]


def test_a_value_comes_back_with_its_type(session: Any) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    value = session.result(session.submit(operator.add, array, array))
    assert value.dtype == np.float32
    np.testing.assert_array_equal(value, 2 * array)


def test_shared_values_arrive_equal_and_are_unpickled_once_a_process(session: Any, tmp_path: Path) -> None:
    values = np.arange(50_000.0)
    handle = session.share(Counted(tmp_path, values))
    results = [session.result(f) for f in [session.submit(total, handle, i) for i in range(12)]]
    assert [value for _, value in results] == [values.sum() + i for i in range(12)]
    unpickled = Counter(file.name.split("_")[0] for file in tmp_path.iterdir())
    assert set(unpickled.values()) <= {1}
    assert set(unpickled) == {str(pid) for pid, _ in results} - {str(os.getpid())}


@pytest.mark.parametrize(
    ("kind", "args", "text"),
    [
        (ValueError, ("no rows",), "no rows"),
        (KeyError, ("column",), "'column'"),
        (MemoryError, (), ""),
        (np.linalg.LinAlgError, ("Singular matrix",), "Singular matrix"),
        (WorkerLost, ("as our own",), "as our own"),
        (TwoArguments, ("this", "that"), "this and that"),
        (Prefixed, ("luck",), "bad luck"),
    ],
)
def test_an_error_comes_back_as_it_was_raised(
    session: Any, kind: type[Exception], args: tuple[Any, ...], text: str
) -> None:
    failed = session.submit(fail, kind, *args)
    dependant = session.submit(operator.add, session.submit(operator.add, failed, 1), 1)
    for future in (dependant, failed, failed):
        with pytest.raises(kind) as caught:
            session.result(future)
        assert type(caught.value) is kind
        assert str(caught.value) == text
    if kind is TwoArguments:
        assert caught.value.right == "that"


def test_a_prefix_runs_once_and_before_what_needs_it(session: Any, tmp_path: Path) -> None:
    file = tmp_path / "runs"
    prefix = session.submit(append, file, 7)
    finals = [session.submit(operator.mul, prefix, i) for i in range(20)]
    assert [session.result(final) for final in finals] == [7 * i for i in range(20)]
    assert session.result(prefix) == 7
    assert file.read_text() == "7\n"


def test_ready_says_whether_the_result_is_there(session: Any) -> None:
    future, bad = session.submit(after, 0.3, "late"), session.submit(fail, ValueError, "early")
    assert not session.ready(future)
    session.wait([future])
    assert session.ready(future)
    assert session.result(future) == "late"
    session.wait([bad])
    assert session.ready(bad)


def test_wait_returns_when_one_is_ready(session: Any) -> None:
    futures = [session.submit(after, 0.01 * i, i) for i in range(12)]
    session.wait(futures[3:])
    assert any(session.ready(future) for future in futures[3:])
    assert [session.result(future) for future in futures] == list(range(12))


def test_cancel_leaves_prefixes_and_others_alone(session: Any) -> None:
    prefix = session.submit(after, 0.2, 5)
    gone, kept = session.submit(operator.add, prefix, 1), session.submit(operator.add, prefix, 2)
    session.cancel(gone)
    assert session.result(kept) == 7
    assert session.result(prefix) == 5
    session.cancel(kept)
    assert session.result(kept) == 7


def test_what_is_cancelled_before_its_turn_never_runs(session: Any, tmp_path: Path) -> None:
    file = tmp_path / "runs"
    sleepers = [session.submit(after, 0.05, i) for i in range(12)]
    last = session.submit(append, file, "ran")
    session.cancel(last)
    session.cancel(last)
    assert [session.result(sleeper) for sleeper in sleepers] == list(range(12))
    assert not file.exists()


def test_what_only_cancelled_calls_needed_runs_when_somebody_else_asks(session: Any, tmp_path: Path) -> None:
    root_file, middle_file = tmp_path / "root", tmp_path / "middle"
    sleepers = [session.submit(after, 0.05, i) for i in range(12)]
    root = session.submit(append, root_file, 1)
    middle = session.submit(append, middle_file, root)
    kept, *gone = [session.submit(operator.add, middle, i) for i in range(3)]
    for future in gone:
        session.cancel(future)
    again = session.submit(operator.add, root, 10)
    session.cancel(kept)
    last = session.submit(after, 0, "last")
    assert [session.result(sleeper) for sleeper in sleepers] == list(range(12))
    assert session.result(last) == "last"
    assert session.result(again) == 11
    assert not middle_file.exists(), "nobody waits for it"
    assert session.result(session.submit(operator.neg, middle)) == -1
    assert session.result(middle) == 1
    assert [len(file.read_text().splitlines()) for file in (root_file, middle_file)] == [1, 1]


def test_what_was_put_aside_may_be_waited_for(session: Any, tmp_path: Path) -> None:
    sleepers = [session.submit(after, 0.05, i) for i in range(12)]
    middle = session.submit(operator.neg, session.submit(append, tmp_path / "root", 1))
    session.cancel(session.submit(operator.neg, middle))
    session.wait([middle])
    assert session.result(middle) == -1
    assert [session.result(sleeper) for sleeper in sleepers] == list(range(12))


def test_what_is_needed_soonest_is_sent_next(on_ray: RaySession, tmp_path: Path) -> None:
    sleepers = [on_ray.submit(after, 0.1, i) for i in range(20)]
    above = on_ray.submit(append, tmp_path / "above", 1)
    soonest = on_ray.submit(operator.neg, above)
    on_ray.wait([soonest, *sleepers])
    while not on_ray.ready(soonest):
        on_ray.wait([soonest])
    assert sum(on_ray.ready(sleeper) for sleeper in sleepers) < 17
    assert on_ray.result(soonest) == -1
    assert [on_ray.result(sleeper) for sleeper in sleepers] == list(range(20))


def test_a_worker_is_idle_unless_as_many_calls_run(on_ray: RaySession) -> None:
    assert on_ray.has_idle_worker()
    first = on_ray.submit(after, 1.0, 1)
    waits = on_ray.submit(operator.neg, first)
    assert on_ray.has_idle_worker()
    second = on_ray.submit(after, 1.0, 2)
    assert not on_ray.has_idle_worker()
    assert [on_ray.result(future) for future in (first, waits, second)] == [1, -1, 2]
    assert on_ray.has_idle_worker()
    third = on_ray.submit(after, 0.5, 3)
    wait_too = [on_ray.submit(operator.neg, third) for _ in range(20)]
    assert not on_ray.has_idle_worker(), "what is submitted now is not even sent"
    assert [on_ray.result(future) for future in wait_too] == [-3] * 20
    assert on_ray.has_idle_worker()
    assert not SerialExecutor().start().has_idle_worker(), "nothing runs there that nobody asks for"


def test_a_large_value_is_compressed_on_its_way(on_ray: RaySession) -> None:
    future = on_ray.submit(Large, 10**6)
    dependent = on_ray.submit(operator.attrgetter("zeros.size"), future)
    assert on_ray.result(dependent) == 10**6
    np.testing.assert_array_equal(on_ray.result(future).zeros, np.zeros(10**6))
    assert len(ray.cloudpickle.dumps(ray.get(future.ref))) < 10**5


def test_the_last_result_is_the_result(on_ray: RaySession) -> None:
    for executor in (SerialExecutor(), RayExecutor()):
        session = executor.start()
        assert session.last_result(session.submit(operator.add, 1, session.submit(operator.add, 1, 1))) == 3
        session.close()
    assert on_ray.result(on_ray.submit(operator.add, 1, 1)) == 2, "a guest ends nothing"


def test_close_may_be_called_twice(on_ray: RaySession) -> None:
    for executor in (SerialExecutor(), RayExecutor()):
        session = executor.start()
        session.close()
        session.close()
    assert on_ray.result(on_ray.submit(operator.add, 1, 1)) == 2


@pytest.mark.parametrize("executor", [SerialExecutor(), RayExecutor("h:1", 3, 2, {"memory": 5})])
def test_executors_can_be_stored(executor: Any) -> None:
    assert pickle.loads(pickle.dumps(executor)) == executor


# ---- Ray only: order, memory, cancelling


def test_a_fast_future_does_not_wait_for_a_slow_one(on_ray: RaySession) -> None:
    for warm in [on_ray.submit(after, 0.3, i) for i in range(2)]:  # both workers are up
        on_ray.result(warm)
    slow, fast = on_ray.submit(after, 1.5, "slow"), on_ray.submit(after, 0, "fast")
    began = time.monotonic()
    on_ray.wait([slow, fast])
    assert time.monotonic() - began < 0.9
    assert on_ray.ready(fast)
    assert not on_ray.ready(slow)
    assert on_ray.result(slow) == "slow"


@pytest.mark.skipif(memory._trim() is None, reason="only glibc keeps freed pages and can give them back")
@pytest.mark.parametrize("call", [fill_and_free, LargeBlocks])
def test_what_a_worker_has_freed_goes_back_to_the_system(on_ray: RaySession, call: Any) -> None:
    worker, before = on_ray.result(on_ray.submit(call)).before
    for _ in range(100):  # until the same worker answers
        process, after = on_ray.result(on_ray.submit(resident))
        if process == worker:
            break
    assert process == worker
    assert after - before < 40e6, "it took 128 MB in between"


def test_arguments_are_let_go_once_they_are_sent(on_ray: RaySession) -> None:
    class Big:
        pass

    big = Big()
    gone = weakref.ref(big)
    future = on_ray.submit(isinstance, big, int)
    del big
    on_ray.wait([future])
    gc.collect()
    assert gone() is None


def test_a_hop_that_was_sent_runs_out_when_it_is_cancelled(on_ray: RaySession, tmp_path: Path) -> None:
    future = on_ray.submit(spin, tmp_path, 0.3)
    assert appears(tmp_path / "began", 10)
    on_ray.cancel(future)
    on_ray.result(future)
    assert (tmp_path / "ended").exists()


def test_an_argument_that_cannot_be_sent_fails_its_own_call_only(on_ray: RaySession) -> None:
    bad = on_ray.submit(isinstance, threading.Lock(), int)
    dependant, other = on_ray.submit(operator.not_, bad), on_ray.submit(operator.add, 1, 1)
    assert on_ray.result(other) == 2
    for future in (bad, dependant):
        with pytest.raises(TypeError, match="lock"):
            on_ray.result(future)


def test_an_error_that_cannot_be_sent_is_told_in_words(on_ray: RaySession) -> None:
    with pytest.raises(RuntimeError, match=r"^Locked: is locked$"):
        on_ray.result(on_ray.submit(fail, Locked))


# ---- Ray only: workers that die


def test_a_worker_that_dies_once_is_replaced(on_ray: RaySession, tmp_path: Path) -> None:
    assert on_ray.result(on_ray.submit(die_once, tmp_path / "marker")) == "alive"
    assert (tmp_path / "marker").exists()


@pytest.mark.parametrize("max_retries", [0, pytest.param(3, marks=pytest.mark.slow)])
def test_a_hop_that_always_kills_its_worker_is_told_in_words(
    on_ray: RaySession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_retries: int
) -> None:
    """With the number of retries that is Ray's here, 3, it takes 8 workers."""
    monkeypatch.setattr(on_ray, "_remote", on_ray._remote.options(max_retries=max_retries))
    deadly = on_ray.submit(die, tmp_path / "runs")
    dependant = on_ray.submit(operator.not_, on_ray.submit(operator.not_, deadly))
    for future in (dependant, deadly):
        with pytest.raises(WorkerLost, match="leave its process alive"):
            on_ray.result(future)
    assert (tmp_path / "runs").read_text() == "x\n" * 2 * (1 + max_retries)
    assert on_ray.result(on_ray.submit(operator.add, 1, 1)) == 2


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ray.exceptions.OutOfMemoryError("killed"), WorkerLost),
        (ray.exceptions.NodeDiedError("gone"), ClusterLost),
        (ray.exceptions.LocalRayletDiedError("gone"), ClusterLost),
        (ray.exceptions.RuntimeEnvSetupError("no pip"), ClusterLost),
        (ray.exceptions.ObjectStoreFullError("full"), ClusterLost),
        *((kind("head\nOdd: 1"), RuntimeError) for kind in translation._UNSERIALIZABLE),
    ],
)
def test_what_ray_says_is_translated_at_any_depth(error: Exception, kind: type[Exception]) -> None:
    wrapped = error
    for _ in range(2):
        wrapped = ray.exceptions.RayTaskError("hop", "traceback", wrapped, "title", 1, "ip")
    with pytest.raises(kind) as caught, translation.translating():
        raise wrapped.as_instanceof_cause()
    assert type(caught.value) is kind


# ---- Ray only: guests


def test_a_guest_shuts_nothing_down_and_keeps_to_its_number(on_ray: RaySession, tmp_path: Path) -> None:
    guest = RayExecutor(n_workers=1).start()
    for future in [guest.submit(spell, tmp_path / "spells", 0.1) for _ in range(4)]:
        guest.result(future)
    left = guest.submit(append, tmp_path / "queued", "ran"), guest.submit(append, tmp_path / "queued", "ran")
    guest.close()
    with pytest.raises(ClusterLost, match="closed"):
        guest.share(1)
    with pytest.raises(ClusterLost, match="closed"):
        guest.result(left[1])
    assert on_ray.result(on_ray.submit(operator.add, 1, 1)) == 2
    spells = [tuple(map(float, line.split())) for line in (tmp_path / "spells").read_text().splitlines()]
    assert len(spells) == 4
    assert all(ended <= began for (_, ended), (began, _) in itertools.pairwise(spells))


def test_a_worker_knows_that_it_is_one(on_ray: RaySession) -> None:
    assert not inside_worker()
    assert on_ray.result(on_ray.submit(inside_worker)) is True


def test_options_reach_the_tasks(on_ray: RaySession) -> None:
    guest = RayExecutor(cpus_per_hop=2, ray_options={"runtime_env": {"env_vars": {"HOP_TEST": "here"}}}).start()
    there = guest.result(guest.submit(environment))
    assert there["HOP_TEST"] == "here"
    assert there["OMP_NUM_THREADS"] == os.environ.get("OMP_NUM_THREADS", "2")
    guest.close()


def test_no_free_worker_is_told_in_time(on_ray: RaySession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ANSWER_S", 0.3)
    with pytest.raises(ClusterLost, match=r"3 CPUs within 0.3 s, none did, \S+ of 2 CPUs"):
        RayExecutor(cpus_per_hop=3).start()
    assert on_ray.result(on_ray.submit(operator.add, 1, 1)) == 2


@pytest.mark.parametrize(("module", "name"), [(multihop_search, "multihop_search"), (np, "numpy")])
def test_other_versions_on_the_workers_are_told(
    on_ray: RaySession, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    there = module.__version__
    monkeypatch.setattr(module, "__version__", "9.9.9")
    with pytest.raises(ClusterLost, match=rf"{name} 9\.9\.9 like this process, one has {there}"):
        RayExecutor().start()


def test_a_module_that_workers_lack_ends_the_search(
    on_ray: RaySession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def double(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    with pytest.raises(ClusterLost, match="No module named 'only_here'"):
        on_ray.result(on_ray.submit(only_here.double, 1))
    with pytest.raises(ClusterLost, match=r"No module named 'only_here'.*runtime_env"), translation.translating():
        ray.get(ray.remote(only_here.double).remote(1))
    with pytest.raises(ClusterLost, match=r"able to import multihop_search, numpy, scikit-learn.*only_here"):
        connection.try_workers(ray.remote(only_here.double), 1, 1)


# ---- Ray only: settings, and the process around a session


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_workers": 0}, "n_workers must be an integer of at least 1, got 0"),
        ({"n_workers": True}, "n_workers"),
        ({"cpus_per_hop": 1.5}, "cpus_per_hop must be an integer of at least 1, got 1.5"),
        ({"address": 6379}, "'host:port', got 6379"),
        ({"address": "head"}, "'host:port', got 'head'"),
        ({"address": "head:port"}, "'host:port'"),
        ({"address": "ray://head:10001"}, "submit this program as a job"),
        ({"ray_options": ["memory"]}, "ray_options must be a mapping"),
        ({"ray_options": {"num_cpus": 2}}, "cpus_per_hop sets it"),
        ({"ray_options": {"max_retries": 0}}, "lost results"),
        ({"ray_options": {"memry": 2}}, "memry"),
        ({"ray_options": {"memory": "2 GB"}}, "memory"),
    ],
)
def test_bad_settings_are_told_at_once(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSetting, match=words):
        RayExecutor(**settings)


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf"), "5", True])
def test_a_hop_timeout_is_a_number_of_seconds(seconds: Any) -> None:
    with pytest.raises(InvalidSetting, match="hop_timeout must be None or a positive number of seconds"):
        RayExecutor().start(seconds)


def test_a_time_limit_needs_workers_from_the_first_fit_on() -> None:
    assert known_executor(None, 2) is None  # the size of the search decides
    assert known_executor(None, 2, hop_timeout=5.0) == RayExecutor(n_workers=2)


def test_this_process_cannot_end_its_own_hops() -> None:
    with pytest.raises(InvalidSetting, match=r"hop_timeout needs Ray.* got 5.* pass executor=RayExecutor\(\)"):
        SerialExecutor().start(5)


def run_alone(code: str, *args: str) -> None:
    """Run code in a process that is not connected to Ray."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), *args], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_cannot_be_reached_or_started_is_told_in_seconds() -> None:
    run_alone(
        """
        import os, socket, time
        import ray
        from multihop_search.executors.ray import RayExecutor
        from multihop_search.errors import ClusterLost, InvalidSetting
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            dead = f"127.0.0.1:{one.getsockname()[1]}"

        def told(executor, kind):
            before, began = dict(os.environ), time.monotonic()
            try:
                executor.start()
            except kind as error:
                assert time.monotonic() - began < 8, error
                assert dict(os.environ) == before
                return str(error)
            raise AssertionError("it started")

        assert dead in told(RayExecutor(dead), ClusterLost)
        ray._private.services.get_ray_address_from_environment = lambda *args: dead  # a killed cluster's file says so
        assert dead in told(RayExecutor("auto"), ClusterLost)
        os.environ["RAY_ADDRESS"] = dead
        assert dead in told(RayExecutor("auto"), ClusterLost)
        os.environ["RAY_ADDRESS"] = "ray://" + dead
        assert "RAY_ADDRESS" in told(RayExecutor("auto"), InvalidSetting)
        os.environ["HOME"] = "/dev/null/home"
        if hasattr(ray.exceptions, "AuthenticationError"):  # older ones write no password into HOME
            assert "RAY_AUTH_MODE=disabled" in told(RayExecutor(), ClusterLost)
        """
    )


def test_the_process_is_left_as_it_was_by_all_who_share_a_connection_of_ours() -> None:
    """Three Rays of our own: searches that share one, one that ends with a result, one of another version."""
    run_alone(
        """
        import gc, operator, os, signal, threading
        import numpy as np
        import ray
        import multihop_search
        from multihop_search.executors.ray import RayExecutor
        from multihop_search.errors import ClusterLost

        class Large:
            packed_in_transit = True

            def __init__(self, size):
                self.ones = np.ones(size)

            def __setstate__(self, state):
                assert not ray.is_initialized(), "it was unpacked beside the workers"
                vars(self).update(state)

        def handler(number, frame):
            pass

        os.environ["RAY_ADDRESS"] = "127.0.0.1:1"  # a Ray of our own does not look at it
        signal.signal(signal.SIGTERM, handler)
        before = dict(os.environ)

        def check_untouched():
            assert not ray.is_initialized()
            assert signal.getsignal(signal.SIGTERM) is handler
            assert dict(os.environ) == before, set(os.environ.items()) ^ set(before.items())

        sessions, executor = [], RayExecutor(n_workers=1, cpus_per_hop=2)
        threads = [threading.Thread(target=lambda: sessions.append(executor.start())) for _ in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        first, second = sessions
        assert os.environ["RAY_task_oom_retries"] == "2"
        assert signal.getsignal(signal.SIGTERM) is handler
        assert ray.cluster_resources()["CPU"] == 2
        assert ray.cluster_resources()["object_store_memory"] <= 1e9
        third = RayExecutor(n_workers=1).start()
        first.close()
        first.close()
        assert second.result(second.submit(operator.add, 1, 1)) == 2
        second.close()
        try:
            third.last_result(third.submit(divmod, 1, 0))
        except ZeroDivisionError:
            assert ray.is_initialized(), "somebody may want to know more"
        value = third.last_result(third.submit(Large, 10**6))
        check_untouched()
        third.close()
        gc.collect()
        assert value.ones.sum() == 10**6

        last = RayExecutor(n_workers=1).start()
        value = last.last_result(last.submit(np.ones, 10**6))
        check_untouched()
        last.close()
        gc.collect()
        assert value.sum() == 10**6

        multihop_search.__version__ = "9.9.9"
        try:
            RayExecutor(n_workers=1).start()
        except ClusterLost as error:
            assert "9.9.9" in str(error), error
        else:
            raise AssertionError("it started")
        check_untouched()
        """
    )


def test_an_existing_cluster_is_joined_and_left_running(on_ray: RaySession) -> None:
    run_alone(
        """
        import operator, os, sys
        import ray
        from multihop_search.executors.ray import RayExecutor
        before = dict(os.environ)
        session = RayExecutor(sys.argv[1], n_workers=1).start()
        assert ray.get_runtime_context().gcs_address == sys.argv[1]
        assert session.result(session.submit(operator.add, 1, 1)) == 2
        session.close()
        assert not ray.is_initialized()
        assert dict(os.environ) == before
        """,
        ray.get_runtime_context().gcs_address,
    )
    assert on_ray.result(on_ray.submit(operator.add, 1, 1)) == 2
