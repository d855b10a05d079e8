"""What the package uses of other libraries that they do not promise to keep: one file for each library.

Each name has a test in `tests/test_compat.py`, which says what breaks when the library changes it.
"""
