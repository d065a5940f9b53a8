"""How Sphinx builds these pages: `make docs`."""

import sys
from importlib import metadata  # the name `version` would be a setting of Sphinx
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from pipeline.training.fast.process import configure  # noqa: E402 (it is found by the line above)

configure()  # TensorFlow, which autodoc imports, says nothing then

project = "Does it overfit, and what helps?"
author = "the authors of overfitting-study"
project_copyright = f"2026, {author}"
release = metadata.version("overfitting-study")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
exclude_patterns = ["_build"]
highlight_language = "none"  # of blocks that name none, such as what a command prints
html_theme = "furo"
html_title = "overfitting-study"
html_static_path: list[str] = []

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

default_role = "literal"  # a single backtick in a docstring
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False

# Types of annotations are not looked up: those of other libraries stand on their sites, and few of ours are shown here.
nitpick_ignore_regex = [("py:class", ".*")]
