"""Configuration of the site; ``make docs`` builds it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# This clone, whatever is installed, here and in the commands that the gallery runs.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ["PYTHONPATH"] = sys.path[0]
# More threads of torch would only wait for each other: the networks of the gallery are small.
os.environ.setdefault("OMP_NUM_THREADS", "1")

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
templates_path = ["_templates"]
exclude_patterns = ["_build", "gallery"]
nitpicky = True
default_role = "py:obj"
# Names of other projects: there is no network where the site is built.
nitpick_ignore_regex = [("py:.*", r"(?!brainage\b).*")]

autodoc_typehints = "none"
numpydoc_show_class_members = False
# All but a long summary, "See Also" and examples, which not everything needs, and "Returns" where the summary has it.
numpydoc_validation_checks = {"all", "ES01", "SA01", "EX01", "RT01"}
# Users do not call the constructors of these.
numpydoc_validation_exclude = {r"\.(LoadedRun|Bundle|Baseline|FeatureSet|CohortReader|Scan)$"}

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# The scripts of docs/gallery that are named plot_*.py run, and write to docs/gallery/outputs.
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"/plot_",
    # Names in scripts link to the reference, and its pages show the scripts that use them.
    "doc_module": ("brainage",),
    "reference_url": {"brainage": None},
    "backreferences_dir": "reference/generated/backreferences",
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
html_sidebars = dict.fromkeys(("index", "reading_a_report", "faq", "glossary"), ())  # pages without pages below them
html_theme_options = {
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "show_toc_level": 2,
}
