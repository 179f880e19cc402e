"""The pages of docs/: their links lead somewhere, their commands compose, and, in slow tests, all of them run."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections import Counter
from collections.abc import Callable, Collection
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from brainage.__main__ import COMMANDS
from brainage.commands.startup import WITH_HYDRA
from brainage.config.again import with_pluses
from brainage.config.commands import COMMAND_SCHEMAS
from brainage.config.hydra import parse, parse_as
from brainage.config.overrides import quote_words
from brainage.config.schema import Config
from brainage.system.files import CONFIGS
from tests.conftest import ROOT, every_third

PAGES = [*sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "reference").glob("*.md"))]
READMES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "experiments").rglob("*.md"))]
# The pages whose commands slow tests run.
RUN = ("quickstart.md", "your_data.md", "series.md")

PLACED = re.compile(
    r"`(my_study/[\w/]+\.(?:py|yaml))`:\n\n```(?:python|yaml)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE
)

Compose = Callable[..., DictConfig]


def text_of(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def fenced(page: str, language: str) -> list[str]:
    """Return a page's blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(page), flags=re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[list[str]]:
    """Return the commands of a page as words, the command's name first; ``python NAME.py`` is ``brainage NAME``."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^(?: {4}|)((?:brainage|python \w+\.py) .*)$", text, flags=re.MULTILINE)
    inline = re.findall(r"`(brainage (?:train|report) [^`\n]*=[^`\n]+)`", text)
    lines += [line for line in inline if "=NAME" not in line]
    split = [shlex.split(line, comments=True) for line in lines]
    return [
        [words[1], *words[2:]] if words[0] == "brainage" else [words[1].removesuffix(".py"), *words[2:]]
        for words in split
    ]


def found() -> dict[str, list[str]]:
    """Return every command of every page by its text."""
    return {shlex.join(words): words for page in (*PAGES, *READMES) for words in commands(page)}


def found_of(names: Collection[str]) -> list[str]:
    """Return the texts of some of these commands."""
    return [text for text, words in found().items() if words[0] in names]


def prose(page: Path) -> str:
    """Return a page without its code."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^ {4}.*$", "", text, flags=re.MULTILINE))


def anchors(page: Path) -> set[str]:
    """Return the anchors that Markdown viewers make from a page's headings."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    found: set[str] = set()
    seen: Counter[str] = Counter()
    for heading in re.findall(r"^#{1,6} (.+)$", text, flags=re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def first_of_each(words: list[str]) -> list[str]:
    """Return the overrides of job 0: the first of each list of values."""
    chosen = []
    for word in quote_words([word for word in words if not word.startswith("-")]):
        parsed = OverridesParser.create().parse_override(word)
        if parsed.is_sweep_override():
            word = f"{parsed.get_key_element()}={next(iter(parsed.sweep_string_iterator()))}"
        chosen.append(word)
    return chosen


@pytest.fixture(scope="module")
def my_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the folder of extending.md, with what `brainage check` and a sweep would write."""
    folder = tmp_path_factory.mktemp("own") / "my_study"
    for name, content in PLACED.findall(text_of("extending.md")):
        (folder.parent / name).parent.mkdir(parents=True, exist_ok=True)
        (folder.parent / name).write_text(content)
    shutil.copy(folder / "experiment" / "mine.yaml", folder / "experiment" / "best.yaml")
    return folder


def test_the_pages_that_are_run_have_commands() -> None:
    assert all(len(commands(ROOT / "docs" / page)) > 1 for page in RUN)


def test_every_command_that_is_named_exists() -> None:
    named = {words[0] for page in (*PAGES, *READMES) for words in commands(page) if not words[0].startswith("-")}
    assert {
        "train",
        "report",
        "predict",
        "adapt",
        "compare",
        "explain",
        "store",
        "simulate",
        "bundle",
        "study",
        "panel",
    } <= named
    assert [name for name in named if not (ROOT / "brainage" / "commands" / f"{name}.py").is_file()] == []


@pytest.mark.parametrize("text", every_third(found_of(["train"])))
def test_every_training_command_composes_and_passes_its_schema(text: str, composed: Compose, my_study: Path) -> None:
    words = found()[text][1:]
    if "--config-dir" in words:
        place = words.index("--config-dir")
        words[place : place + 2] = [f"hydra.searchpath=[file://{my_study}]"]
    assert isinstance(parse(composed(*with_pluses("train", first_of_each(words)))), Config)


@pytest.mark.parametrize("text", every_third(found_of(set(WITH_HYDRA) - {"train"})))
def test_every_other_command_composes_and_passes_its_schema(text: str) -> None:
    name, *words = found()[text]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        assert isinstance(
            parse_as(compose(name, with_pluses(name, words)), COMMAND_SCHEMAS[name]), COMMAND_SCHEMAS[name]
        )


@pytest.mark.parametrize("text", found_of(set(COMMANDS) - set(WITH_HYDRA)))
def test_every_command_with_options_is_parsed(text: str) -> None:
    name, *words = found()[text]
    assert import_module(f"brainage.commands.{name}").parse(words)


def other_lines() -> set[str]:
    """Return the lines of blocks for a shell that are not this project's commands."""
    lines: set[str] = set()
    for page in (*PAGES, *READMES):
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        indented = re.findall(
            r"(?<=\n\n)(?: {4}.*\n)+", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
        )
        blocks = [*re.findall(r"^```bash\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE), *indented]
        plain = [re.sub(r"<<'END'\n.*?^END$", "", block, flags=re.DOTALL | re.MULTILINE) for block in blocks]
        lines |= {line.strip() for block in plain for line in block.splitlines()}
    return {line for line in lines if re.match(r"[a-z][\w.-]* ", line) and not line.startswith("brainage ")}


def test_other_programs_are_asked_for_what_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    lines = other_lines()
    made = {name for line in lines for name in re.findall(r"^make ([\w-]+)", line)}
    asked = {name for line in lines for name in re.findall(r"^pip install .*\[([\w,]+)\]", line)}
    modules = {name for line in lines for name in re.findall(r"^python -m (benchmarks[\w.]*)", line)}
    assert {"demo", "test", "check", "docs", "docs-links"} <= made <= set(targets)
    assert {"all", "dashboard"} <= asked <= set(extras)
    assert modules and all(defined(name) for name in modules)


@pytest.mark.parametrize("page", [*PAGES, *READMES], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for target in re.findall(r"\[[^\]]+\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert not broken


def defined(dotted: str) -> bool:
    """Return whether a dotted name is a module of the project, or defined at the top of one."""
    module = Path(*dotted.split("."))
    if (ROOT / module).is_dir() or (ROOT / module.with_suffix(".py")).is_file():
        return True
    parent, name = ROOT / module.parent, re.escape(module.name)
    source = parent.with_suffix(".py") if parent.with_suffix(".py").is_file() else parent / "__init__.py"
    return source.is_file() and bool(
        re.search(rf"^(?:class |def )?{name}\b", source.read_text(encoding="utf-8"), flags=re.MULTILINE)
    )


@pytest.mark.parametrize("page", [*PAGES, *READMES], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_module_and_function_that_is_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    dotted = set(re.findall(r"(?<![\w{$./-])((?:brainage|benchmarks)(?:\.(?!md\b|py\b)\w+)+)", text))
    assert sorted(name for name in dotted if not defined(name)) == []


@pytest.mark.parametrize("page", [*RUN, "extending.md"])
def test_every_name_that_is_imported_exists(page: str) -> None:
    blocks = [
        *fenced(page, "python"),
        *re.findall(r"<<'END'\n(.*?)^END$", text_of(page), flags=re.DOTALL | re.MULTILINE),
    ]
    imports = [node for block in blocks for node in ast.walk(ast.parse(textwrap.dedent(block)))]
    names = [
        f"{node.module}.{name.name}"
        for node in imports
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("brainage")
        for name in node.names
    ]
    assert [name for name in names if not defined(name)] == []


def test_every_path_in_the_architecture_exists() -> None:
    named = re.findall(r"`([\w./]+)`", text_of("architecture.md"))
    paths = [path for path in named if "/" in path and not path.startswith("outputs/")]
    drawing = re.findall(r'<text class="path".*?>(.*?)</text>', text_of("architecture.svg"))
    drawn = [path for text in drawing for path in text.split()]
    assert len(paths) > 30 and len(drawn) > 20
    assert [path for path in drawn if not (ROOT / "brainage" / path).exists()] == []
    assert [path for path in paths if not any((root / path).exists() for root in (ROOT, ROOT / "brainage"))] == []


def test_the_readme_names_every_page() -> None:
    linked = set(re.findall(r"\]\(docs/(\w+\.md)\)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert {page.name for page in PAGES if page.parent.name == "docs"} - {"index.md"} <= linked


@pytest.mark.parametrize(
    "block", fenced("extending.md", "python"), ids=lambda block: block.strip().splitlines()[0][:40]
)
def test_every_piece_of_python_parses(block: str) -> None:
    assert ast.parse(textwrap.dedent(block)).body


@pytest.mark.parametrize("block", fenced("extending.md", "yaml"), ids=lambda block: block.splitlines()[0][:40])
def test_every_piece_of_yaml_parses_and_begins_with_a_line_for_the_help(block: str) -> None:
    assert isinstance(yaml.safe_load(block), dict)
    assert [line for line in block.splitlines()[:2] if line.startswith("# ") and "@package" not in line]


# From here on, what readers do: every command of a page, in order.


def clone(folder: Path) -> Path:
    """Copy the project into a folder."""
    folder.mkdir()
    for name in ("brainage", "configs", "experiments", "hydra_plugins"):
        ignored = shutil.ignore_patterns("__pycache__", "local")
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignored)
    for file in (*ROOT.glob("*.py"), ROOT / "pyproject.toml"):
        shutil.copy(file, folder)
    (folder / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "reading_a_report.md", folder / "docs")  # every report comes with it
    return folder


def run_blocks(page: str, folder: Path, project: Path = ROOT) -> None:
    """Run a page's commands in a folder, block by block, with this project's ``brainage`` and ``python``."""
    programs = folder.parent / "bin"
    programs.mkdir()
    for name, words in (("python", ""), ("brainage", "-m brainage ")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {words}"$@"\n')
        program.chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    for block in fenced(page, "bash"):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=folder,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(project)},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, f"{block}\n{done.stderr}"


def check_outputs(page: str, folder: Path) -> None:
    """Check that the report of each named run, and each path in backticks, exists."""
    named = re.findall(r"hydra\.run\.dir=(\S+)", "\n".join(fenced(page, "bash")))
    assert [name for name in named if not (folder / name / "report.html").is_file()] == []
    paths = re.findall(r"`(outputs/[\w./-]+)`", text_of(page))
    assert [path for path in paths if not (folder / path).exists()] == []


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_the_quickstart_runs_and_leaves_what_it_says(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    run_blocks("quickstart.md", folder)
    check_outputs("quickstart.md", folder)
    outputs = folder / "outputs"
    _, _, after = text_of("guide.md").partition("## Output of a run")
    after = after[after.index("| file | content |") :]
    table = after.partition("\n\n")[0]
    files = [name for row in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert len(files) > 10
    absent = {name for name in files if not (outputs / "first" / name).exists()}
    assert absent == {"channels.csv", "group_differences.csv", "scans.csv"}  # of parcels, groups and several scans
    assert sorted(path.name for path in (outputs / "first" / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    assert len(rows(outputs / "first" / "metrics.csv")) == 4
    for name in ("comparison.csv", "differences.csv", "comparison.json", "report.html"):
        assert (outputs / "compared" / name).is_file()
    statuses = [row["status"] for row in rows(outputs / "grid" / "summary.csv")]
    assert Counter(statuses) == {"finished": 2, "impossible": 2}
    assert "val/mse" in rows(outputs / "grid" / "summary.csv")[0]
    assert len(rows(outputs / "folds" / "pooled_predictions.csv")) == 300
    chosen = rows(outputs / "first_again" / "associations.csv")
    of_quality = ("head_motion", "site")  # always there
    assert [row["variable"] for row in chosen if row["variable"] not in of_quality] == ["processing_speed", "sex"]
    difference = rows(outputs / "compared" / "differences.csv")[0]
    assert float(difference["low"]) > 0  # "the ridge is clearly better"


@pytest.mark.slow
def test_the_page_on_data_runs_and_leaves_what_it_says(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    run_blocks("your_data.md", folder)
    check_outputs("your_data.md", folder)
    outputs = folder / "outputs"
    splits = {path.parent.name: rows(path) for path in outputs.glob("*/splits.csv")}
    ids = {name: {row["participant_id"] for row in run} for name, run in splits.items()}
    assert len(ids["bids"]) == len(ids["mine"]) == 60
    # Two of 60 withdrew and were purged from earlier runs; the other styles have the same participants.
    assert len(ids["ukb"]) == 58
    assert ids["ukb"] == ids["ukb_ica100"] == ids["ukb_r"] == ids["ukb_rap"] == ids["ukb_without"]
    assert not {"9000003", "9000004"} & set().union(*ids.values())
    # Neither withdrawals nor the layout of the files change anyone's part.
    ages = [
        {row["participant_id"]: (row["split"], row["age"]) for row in rows(outputs / name / "predictions.csv")}
        for name in ("ukb", "ukb_without", "bids", "mine")
    ]
    assert ages[0] == ages[1]
    assert ages[2] == ages[3]
    by_itself = {row["variable"]: row for row in rows(outputs / "elsewhere" / "associations.csv")}
    assert float(by_itself["grip_strength"]["r_partial"]) == pytest.approx(-1)


@pytest.mark.slow
def test_the_page_on_series_runs_and_leaves_series_that_train(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    run_blocks("series.md", folder)
    check_outputs("series.md", folder)
    assert len(rows(folder / "outputs" / "fmriprep" / "splits.csv")) == 60
    assert json.loads((folder / "outputs" / "fmriprep" / "summary.json").read_text())["cohort"]["n_excluded"] == 0


def edit(file: Path, before: str, new: str) -> None:
    """Insert text before a line of a file."""
    text = file.read_text()
    assert text.count(before) == 1, f"{file.name} has changed: extending.md may have to follow"
    file.write_text(text.replace(before, new + before))


@pytest.mark.slow
def test_what_the_page_on_extending_adds_works(tmp_path: Path) -> None:
    project, folder = clone(tmp_path / "clone"), tmp_path / "empty"
    placed = dict(PLACED.findall(text_of("extending.md")))
    assert len(placed) == 11
    for name, content in placed.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    section = next(block for block in fenced("extending.md", "python") if "def _sites" in block)
    line = "_sites(findings),"
    assert f"`{line}`" in text_of("extending.md")
    page = project / "brainage" / "reporting" / "run_page.py"
    edit(page, "def _analysis(", section + "\n\n")
    edit(page, "        truth_section(findings),\n", f"        {line}\n")
    for words in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, str(page), str(folder)],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
    run_blocks("extending.md", folder, project)
    check_outputs("extending.md", folder)
    outputs = folder / "outputs"
    summaries = {path.parent.name: json.loads(path.read_text()) for path in outputs.glob("*/summary.json")}
    assert {name: summary["model"]["name"] for name, summary in summaries.items()} == {
        "experiment": "variable1dcnn",
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
