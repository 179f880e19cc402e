"""Configuration of the site; ``make docs`` builds it."""

from __future__ import annotations

import sys
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import brainage  # noqa: E402

project = "brainage"
author = "the brainage developers"
copyright = author  # noqa: A001
release = version = brainage.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "docs.sphinx_ext.links",
    "docs.sphinx_ext.reference",
]
exclude_patterns = ["_build", "gallery"]
nitpicky = True

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# The scripts named plot_*.py of docs/gallery run, in an empty folder each; the others are shown.
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "remove_config_comments": True,
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "brainage"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
toc_object_entries = False
html_sidebars = dict.fromkeys(("index", "faq", "glossary"), ())  # pages without pages below them
html_theme_options = {
    "navigation_with_keys": False,
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
}


def setup(app: Sphinx) -> None:
    """Show diagrams as text."""
    app.add_lexer("mermaid", TextLexer)
