"""How the book is built: ``bash docs/build``."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "sandbox")]

project = "Entra ID runbook"
author = "The authors of the Entra ID runbook"
extensions = ["myst_parser", "generated"]
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = "Entra ID runbook"
html_static_path = ["static"]
html_css_files = ["book.css"]
html_copy_source = False
html_show_copyright = False
pygments_style = "default"
pygments_dark_style = "github-dark"

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]
