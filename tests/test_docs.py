"""The pages of docs/: their links lead somewhere, their commands compose, and, in slow tests, all of them run."""

from __future__ import annotations

import ast
import csv
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from brainage.config.commands import COMMAND_SCHEMAS
from brainage.config.hydra import parse, parse_as, quote_query
from brainage.config.schema import Config
from tests.conftest import ROOT

PAGES = sorted((ROOT / "docs").glob("*.md"))
LINKING = [*PAGES, ROOT / "README.md"]
RUN = ("quickstart.md", "your_data.md")

Compose = Callable[..., DictConfig]


def text_of(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def fenced(page: str, language: str) -> list[str]:
    """Return a page's blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(page), flags=re.DOTALL | re.MULTILINE)


def commands(page: str) -> list[str]:
    """Return the lines of a page that run Python, of its fenced and of its indented blocks."""
    lines = [line for block in fenced(page, "bash") for line in block.splitlines()]
    lines += re.findall(r"^ {4}(python .*)$", text_of(page), flags=re.MULTILINE)
    return [line for line in lines if line.startswith("python ") and not line.startswith("python - ")]


def of_kind(*scripts: str) -> list[str]:
    return [line for page in RUN for line in commands(page) if line.split()[1] in scripts]


def prose(page: Path) -> str:
    """Return a page without its code."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^ {4}.*$", "", text, flags=re.MULTILINE))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as they are made of them where Markdown is shown."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    found: set[str] = set()
    seen: Counter[str] = Counter()
    for heading in re.findall(r"^#{1,6} (.+)$", text, flags=re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def first_of_each(words: list[str]) -> list[str]:
    """Return a command's overrides, of each list of values the first: what job 0 of a multirun gets."""
    chosen = []
    for word in quote_query([word for word in words if not word.startswith("-")]):
        parsed = OverridesParser.create().parse_override(word)
        if parsed.is_sweep_override():
            word = f"{parsed.get_key_element()}={next(iter(parsed.sweep_string_iterator()))}"
        chosen.append(word)
    return chosen


def test_there_are_commands_on_the_pages_that_are_run() -> None:
    assert all(len(commands(page)) > 5 for page in RUN)


@pytest.mark.parametrize("line", of_kind("train.py"))
def test_every_training_command_composes_and_passes_its_schema(line: str, composed: Compose) -> None:
    assert isinstance(parse(composed(*first_of_each(shlex.split(line)[2:]))), Config)


@pytest.mark.parametrize("line", of_kind("report.py", "compare.py", "predict.py", "explain.py"))
def test_every_other_command_composes_and_passes_its_schema(line: str) -> None:
    _, script, *words = shlex.split(line)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        name = script.removesuffix(".py")
        parse_as(compose(name, words), COMMAND_SCHEMAS[name])


@pytest.mark.parametrize("line", of_kind("-m"))
def test_every_module_that_is_run_exists(line: str) -> None:
    assert importlib.util.find_spec(line.split()[2])


@pytest.mark.parametrize("page", LINKING, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(page: Path) -> None:
    broken = []
    for target in re.findall(r"\[[^\]]+\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert not broken


def test_the_index_names_every_page() -> None:
    linked = set(re.findall(r"\]\((\w+\.md)\)", text_of("index.md")))
    assert {page.name for page in PAGES} - {"index.md"} <= linked


@pytest.mark.parametrize(
    "block", fenced("extending.md", "python"), ids=lambda block: block.strip().splitlines()[0][:40]
)
def test_every_piece_of_python_parses(block: str) -> None:
    assert ast.parse(textwrap.dedent(block)).body


@pytest.mark.parametrize("block", fenced("extending.md", "yaml"), ids=lambda block: block.splitlines()[0][:40])
def test_every_piece_of_yaml_parses_and_begins_with_a_line_for_the_help(block: str) -> None:
    assert isinstance(yaml.safe_load(block), dict)
    assert [line for line in block.splitlines()[:2] if line.startswith("# ") and "@package" not in line]


# From here on, what readers do: every command of a page, in order, in a folder like a clone.


def clone(folder: Path) -> Path:
    """Copy what a page's commands need into a folder."""
    folder.mkdir()
    for name in ("brainage", "configs", "experiments", "hydra_plugins"):
        ignored = shutil.ignore_patterns("__pycache__", "local")
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignored)
    for file in (*ROOT.glob("*.py"), ROOT / "pyproject.toml"):
        shutil.copy(file, folder)
    return folder


def run_blocks(page: str, folder: Path) -> None:
    """Run a page's commands, block by block, as they stand there."""
    programs = folder.parent / "bin"
    programs.mkdir()
    python = programs / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    for block in fenced(page, "bash"):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, f"{block}\n{done.stderr}"


def check_outputs(page: str, folder: Path) -> None:
    """Look for all that a page says is there: the report of each named run, and each path in backticks."""
    named = re.findall(r"hydra\.run\.dir=(\S+)", "\n".join(fenced(page, "bash")))
    assert [name for name in named if not (folder / name / "report.html").is_file()] == []
    paths = re.findall(r"`(outputs/[\w./-]+)`", text_of(page))
    assert [path for path in paths if not (folder / path).exists()] == []


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_the_quickstart_runs_and_leaves_what_it_says(tmp_path: Path) -> None:
    folder = clone(tmp_path / "clone")
    run_blocks("quickstart.md", folder)
    check_outputs("quickstart.md", folder)
    outputs = folder / "outputs"
    _, _, after = text_of("quickstart.md").partition("| in `outputs/first/` | holds |")
    table = after.partition("\n\n")[0]
    files = [name for row in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert len(files) > 10
    assert [name for name in files if not (outputs / "first" / name).exists()] == []
    assert sorted(path.name for path in (outputs / "first" / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    assert len(rows(outputs / "first" / "metrics.csv")) == 4
    for name in ("comparison.csv", "differences.csv", "comparison.json", "report.html"):
        assert (outputs / "compared" / name).is_file()
    statuses = [row["status"] for row in rows(outputs / "grid" / "summary.csv")]
    assert Counter(statuses) == {"finished": 2, "impossible": 2}
    assert "val/mse" in rows(outputs / "grid" / "summary.csv")[0]
    assert len(rows(outputs / "folds" / "pooled_predictions.csv")) == 300
    chosen = rows(outputs / "first_again" / "associations.csv")
    assert [row["variable"] for row in chosen] == ["processing_speed", "sex"]
    difference = rows(outputs / "compared" / "differences.csv")[0]
    assert float(difference["low"]) > 0  # "the ridge wins clearly"


@pytest.mark.slow
def test_the_page_on_data_runs_and_leaves_what_it_says(tmp_path: Path) -> None:
    folder = clone(tmp_path / "clone")
    run_blocks("your_data.md", folder)
    check_outputs("your_data.md", folder)
    outputs = folder / "outputs"
    splits = {path.parent.name: rows(path) for path in outputs.glob("*/splits.csv")}
    ids = {name: {row["participant_id"] for row in run} for name, run in splits.items()}
    assert len(ids["bids"]) == len(ids["mine"]) == 60
    # Two of 60 withdrew, and were purged from what was there before; the styles are of the same people.
    assert len(ids["ukb"]) == 58
    assert ids["ukb"] == ids["ukb_ica100"] == ids["ukb_r"] == ids["ukb_rap"] == ids["ukb_without"]
    assert not {"9000003", "9000004"} & set().union(*ids.values())
    # Who withdraws changes nobody's part; nor does the layout of one tree's files.
    ages = [
        {row["participant_id"]: (row["split"], row["age"]) for row in rows(outputs / name / "predictions.csv")}
        for name in ("ukb", "ukb_without", "bids", "mine")
    ]
    assert ages[0] == ages[1]
    assert ages[2] == ages[3]
    by_itself = {row["variable"]: row for row in rows(outputs / "elsewhere" / "associations.csv")}
    assert float(by_itself["grip_strength"]["r_partial"]) == pytest.approx(-1)


PLACED = re.compile(r"`([\w/]+\.(?:py|yaml))`:\n\n```(?:python|yaml)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


def placed_blocks() -> Iterator[tuple[str, str]]:
    """Yield the files that extending.md writes, and what goes into them."""
    yield from PLACED.findall(text_of("extending.md"))


def edit(file: Path, before: str, new: str) -> None:
    """Put something before a line of a file."""
    text = file.read_text()
    assert text.count(before) == 1, f"{file.name} has changed: extending.md may have to follow"
    file.write_text(text.replace(before, new + before))


@pytest.mark.slow
def test_what_the_page_on_extending_adds_works(tmp_path: Path) -> None:
    folder = clone(tmp_path / "clone")
    placed = dict(placed_blocks())
    assert len(placed) == 10
    for name, content in placed.items():
        assert not (folder / name).exists(), f"{name} would be written over"
        (folder / name).write_text(content)
    pieces = {
        key: next(block for block in fenced("extending.md", "python") if key in block)
        for key in ("ESTIMATORS = ", "class StackedCohortConfig", "isinstance(cohort, Stacked", "def _sites")
    }
    package = folder / "brainage"
    models = package / "models" / "__init__.py"
    models.write_text(re.sub(r"^ESTIMATORS = .*\n", pieces["ESTIMATORS = "], models.read_text(), flags=re.MULTILINE))
    schema = '"cohort/stacked": StackedCohortConfig,'
    line = "_sites(findings),"
    assert f"`{schema}`" in text_of("extending.md")
    assert f"`{line}`" in text_of("extending.md")
    edit(package / "config.py", "@dataclass\nclass SplitConfig:", pieces["class StackedCohortConfig"] + "\n\n")
    edit(package / "config.py", '    "model/variable1dcnn":', f"    {schema}\n")
    edit(package / "preparation.py", "    UkbCohortConfig,\n", "    StackedCohortConfig,\n")
    edit(package / "preparation.py", '    raise ConfigError(f"`cohort` got', pieces["isinstance(cohort, Stacked"])
    page = package / "reporting" / "findings_page.py"
    edit(page, "def _truth(", pieces["def _sites"] + "\n\n")
    edit(page, "        _truth(findings),\n", f"        {line}\n")
    for words in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "brainage"], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
    run_blocks("extending.md", folder)
    check_outputs("extending.md", folder)
    outputs = folder / "outputs"
    summaries = {path.parent.name: json.loads(path.read_text()) for path in outputs.glob("*/summary.json")}
    assert {name: summary["model"]["name"] for name, summary in summaries.items()} == {
        "mine": "mine",
        "ica50": "variable1dcnn",
        "sgd": "variable1dcnn",
        "ridge_sd": "ridge_sd",
        "stacked": "variable1dcnn",
    }
    assert summaries["stacked"]["cohort"]["name"] == "stacked"
    assert len(rows(outputs / "stacked" / "splits.csv")) == 60
    # 45 channels of a first layer with 32 kernels of 5 points each.
    assert "in_channels: 45" in (outputs / "ica50" / "config.yaml").read_text()
    assert "<h2>Sites</h2>" in re.sub(r"<h2[^>]*>", "<h2>", (outputs / "sites" / "report.html").read_text())
    help_ = subprocess.run(
        [sys.executable, "train.py", "--help"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    assert all(name in help_ for name in ("mine", "ica50", "sgd", "exponential", "ridge_sd", "stacked"))
