"""Testing: the contracts of what a user may add, for the tests of a scheme, an executor or a family of your own."""

from multihop_search.testing.executors import check_executor
from multihop_search.testing.families import check_family
from multihop_search.testing.schemes import check_scheme

__all__ = ["check_executor", "check_family", "check_scheme"]
