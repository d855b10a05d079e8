"""The Ray executor: a future is a Ray task; the only folder of the package that imports Ray.

The face makes a `RayExecutor`; the engine calls `start`, which connects, proves with a test task that a worker can do
the work, and returns a `RaySession`; then the calls of `base.Session`, and `close`, which leaves the process as it was.

What fails is met in three places. Ray itself runs a task again whose worker or node died, and the tasks whose values
went with a node. The session sends a call again, with fresh inputs, when Ray has given that up. What kills its worker
in each run, or runs too long, is an error of the call, and costs its trials only.
"""

from multihop_search.executors.ray.executor import RayExecutor
from multihop_search.executors.ray.session import RaySession

__all__ = ["RayExecutor", "RaySession"]
