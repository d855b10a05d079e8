"""A cluster of several nodes on this machine, whose nodes may be killed."""

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.cluster_utils import Cluster

STORE = 100 * 2**20
SYSTEM = {
    "health_check_initial_delay_ms": 0,  # a dead node is noticed within a second, not within 13
    "health_check_period_ms": 300,
    "health_check_timeout_ms": 5000,  # of one that only waits for a CPU
    "health_check_failure_threshold": 3,
    "max_direct_call_object_size": 200,  # bytes; what is larger lives on the node that computed it, and dies with it
}


class Nodes:
    """A head without CPUs, and nodes of one CPU each."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.address: str = cluster.address

    @property
    def here(self) -> list[Any]:
        return [node for node in self.cluster.list_all_nodes() if node is not self.cluster.head_node]

    def add(self, **resources: float) -> Any:
        # Its hooks need the main thread.
        self.cluster._shutdown_at_exit = threading.current_thread() is threading.main_thread()
        return self.cluster.add_node(num_cpus=1, object_store_memory=STORE, resources=resources)

    def kill(self, node: Any) -> None:
        """End all processes of a node by SIGKILL."""
        self.cluster.remove_node(node, allow_graceful=False)


def ask_for_no_password() -> None:
    """Make this process forget the password of a Ray that it had before: the nodes here know none."""
    ray._raylet.Config.initialize("")  # reads the environment anew
    if hasattr(ray._raylet, "AuthenticationTokenLoader"):  # Ray 2.48 has no passwords
        ray._raylet.AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def cluster_of(n_nodes: int, **system: Any) -> Iterator[Nodes]:
    """Start a cluster, connect this process to it, and leave nothing behind."""
    folder = tempfile.mkdtemp(prefix="r", dir="/tmp")  # short: paths of sockets have 107 bytes at most
    cluster, mode = None, os.environ.get("RAY_AUTH_MODE")
    os.environ["RAY_AUTH_MODE"] = "disabled"
    ask_for_no_password()
    try:
        cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "include_dashboard": False,
                "object_store_memory": STORE,
                "temp_dir": folder,
                "_system_config": {**SYSTEM, **system},
            },
        )
        nodes = Nodes(cluster)
        # While the head is alone: Ray connects to any node of this machine, and the others are there to be killed.
        ray.init(address=nodes.address, log_to_driver=False, logging_level="ERROR")
        for _ in range(n_nodes):
            nodes.add()
        yield nodes
    finally:
        ray.shutdown()
        if cluster is not None:
            cluster.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.pop("RAY_AUTH_MODE")
        if mode is not None:
            os.environ["RAY_AUTH_MODE"] = mode
