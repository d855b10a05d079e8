"""How the pages are built: `sphinx-build -W docs build/docs`."""

import importlib.metadata

project = "multihop_search"
author = "the multihop_search developers"
copyright = author
release = importlib.metadata.version("multihop_search")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
exclude_patterns = ["examples/pins"]
html_theme = "furo"
html_title = f"multihop_search {release}"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
numpydoc_show_class_members = False
autodoc_typehints = "none"
autosummary_generate = True
autodoc_mock_imports = ["autogluon", "flaml", "supervised", "tpot"]  # the pages need none of the AutoML tools
suppress_warnings = ["myst.xref_missing"]  # links to files of the repository that are no pages
