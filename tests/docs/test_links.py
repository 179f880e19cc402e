"""Links of the repository's Markdown files, as links between pages of the site."""

from __future__ import annotations

import pytest

from docs.sphinx_ext.links import DOCS, for_the_site, included_files


@pytest.mark.parametrize(
    ("link", "file", "page", "expected"),
    [
        ("[a](docs/guide.md#reports)", "../README.md", "index.md", "[a](guide.md#reports)"),
        ("[a](../CONTRIBUTING.md)", "quickstart.md", "quickstart.md", "[a](project/contributing.md)"),
        ("![a](figures/depth.png)", "../experiments/manual_search/README.md", "experiments/manual_search.md",
         "![a](../../experiments/manual_search/figures/depth.png)"),
        ("[a](gallery/plot_run.py)", "python.md", "python.md", "[a](auto_gallery/plot_run.rst)"),
        ("[a](docs/gallery)", "../README.md", "index.md", "[a](auto_gallery/index.rst)"),
        ("[a](https://doi.org/10.1038/1) [b](#reports)", "guide.md", "guide.md",
         "[a](https://doi.org/10.1038/1) [b](#reports)"),
    ],
)  # fmt: skip
def test_links_lead_to_pages(link: str, file: str, page: str, expected: str) -> None:
    assert for_the_site(link, (DOCS / file).resolve(), DOCS / page, included_files()) == expected
