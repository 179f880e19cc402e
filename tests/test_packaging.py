"""The package as users install it: the wheel, the command, the import, and what it leaves alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import FAST, ROOT, Ended, run_command

ALL_CONFIGS = {
    path.relative_to(ROOT / "configs").as_posix()
    for path in (*(ROOT / "configs").rglob("*.yaml"), *(ROOT / "configs" / "experiment").rglob("*.yaml"))
    if path.relative_to(ROOT / "configs").parts[0] != "local"
}


@dataclass(frozen=True)
class Installed:
    """A wheel, and an environment that has it and this environment's dependencies, but not the clone."""

    wheel: Path
    folder: Path

    def run(self, folder: Path, program: str, *words: str, **environment: str) -> Ended:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [str(self.folder / "bin" / program), *words],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=240,
            env={**{key: value for key, value in os.environ.items() if key != "PYTHONPATH"}, **environment},
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build the wheel from a copy of the clone with a machine's own settings, and install it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "brainage"
    source.mkdir()
    for name in ("brainage", "configs", "experiments", "hydra_plugins"):
        shutil.copytree(
            ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "local")
        )
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    (source / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "reading_a_report.md", source / "docs")
    (source / "configs" / "local").mkdir()
    (source / "configs" / "local" / "default.yaml").write_text("# @package _global_\nbatch_size: 77\n")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    wheels = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    done = subprocess.run(wheels, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    done = subprocess.run(
        [*pip, "--python", str(folder / "venv"), "install", "--no-deps", "--no-index", str(wheel)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # A folder on the path whose own .pth files (an editable install of this clone) are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(wheel, folder / "venv")


@pytest.mark.more
def test_the_wheel_has_every_config_as_a_real_file_and_no_local_one(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith("brainage/configs/")]
        assert all(archive.read(name) for name in names)
        assert b"batch_size: 77" not in b"".join(archive.read(name) for name in names)
        assert "hydra_plugins/brainage_sweeper.py" in archive.namelist()
        assert (
            archive.read("brainage/reporting/reading_a_report.md") == (ROOT / "docs/reading_a_report.md").read_bytes()
        )
    assert {name.removeprefix("brainage/configs/") for name in names} == ALL_CONFIGS


@pytest.mark.more
def test_the_installed_command_composes_from_an_empty_folder(installed: Installed, tmp_path: Path) -> None:
    for program, first in (("brainage", ()), ("python", ("-m", "brainage"))):
        ended = installed.run(tmp_path / program, program, *first, "train", "experiment=demo", "--cfg", "job")
        assert ended.code == 0 and "batch_size: 64" in ended.out
    where = "import brainage, hydra_plugins.brainage_sweeper; print(brainage.__file__)"
    assert str(installed.folder) in installed.run(tmp_path, "python", "-c", where).out
    ended = installed.run(tmp_path, "brainage", "train", "--help")
    assert "brainage train modality=ica100" in ended.out and "python train.py" not in ended.out
    assert not (tmp_path / "brainage" / "outputs").exists()


def test_a_machines_own_settings_are_read_from_the_home_folder(installed: Installed, tmp_path: Path) -> None:
    own = tmp_path / "config" / "brainage" / "local" / "default.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("# @package _global_\nbatch_size: 78\n")
    home = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "PYTHONWARNINGS": "error"}
    assert "batch_size: 78" in installed.run(tmp_path, "brainage", "train", "--cfg", "job", **home).out


@pytest.mark.more
def test_the_installed_command_fits_a_baseline_and_reports(installed: Installed, tmp_path: Path) -> None:
    run = tmp_path / "outputs" / "run"
    words = ("model=mean_age", "cohort.n_participants=40", "trainer=cpu", "hydra.run.dir=outputs/run")
    ended = installed.run(tmp_path, "brainage", "train", *words)
    assert ended.code == 0, ended.text
    assert json.loads((run / "summary.json").read_text())["status"] == "finished"
    ended = installed.run(tmp_path, "brainage", "report", "run=outputs/run", "hydra.run.dir=outputs/again")
    assert ended.code == 0, ended.text
    assert (tmp_path / "outputs" / "again" / "report.html").is_file()


@pytest.mark.slow
def test_the_installed_command_trains_predicts_and_reports(installed: Installed, tmp_path: Path) -> None:
    trained = installed.run(tmp_path, "brainage", "train", *FAST)
    assert trained.code == 0, trained.text
    (run,) = (tmp_path / "outputs" / "train").glob("*/*")
    assert json.loads((run / "summary.json").read_text())["status"] == "finished"
    folder = str(run.relative_to(tmp_path))
    for words in (
        ("bundle", "export", "--run", folder, "--out", "bundle"),
        ("predict", "bundle=bundle", "cohort=simulated", "cohort.n_participants=12", "hydra.run.dir=outputs/new"),
        ("report", f"run={folder}", "hydra.run.dir=outputs/again"),
        ("store", "list"),
        ("train", "--multirun", *FAST, "model.kernel_size=3,5", "hydra.sweep.dir=outputs/grid"),
        ("train", "--multirun", *FAST, "sweep=variable1dcnn", "hydra.sweeper.n_trials=2", "hydra.sweeper.n_workers=2"),
    ):
        ended = installed.run(tmp_path, "brainage", *words)
        assert ended.code == 0, ended.text
    assert all((tmp_path / "outputs" / place / "report.html").is_file() for place in ("new", "again", "grid"))
    assert (tmp_path / "outputs" / "sweeps" / "variable1dcnn-ica25" / "trials.csv").is_file()


def test_the_import_is_right_in_the_folder_above_a_clone(tmp_path: Path) -> None:
    clone = tmp_path / "brainage"
    shutil.copytree(ROOT / "brainage", clone / "brainage", ignore=shutil.ignore_patterns("__pycache__"))
    (clone / "data").mkdir()  # as the tutorial makes
    # What an editable install leaves: the clone as a plain path behind the current folder.
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert settings["package-dir"] == {"": "."}
    find = "import brainage.data; print(brainage.data.__file__)"
    ended = run_command(tmp_path, "-c", find, PYTHONPATH=str(clone))
    assert ended.out.strip() == str(clone / "brainage" / "data" / "__init__.py")


def test_another_hydra_app_keeps_its_sweeper_and_never_imports_this_package(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import sys\nimport hydra\n\n\n"
        "@hydra.main(version_base='1.3', config_path=None)\n"
        "def main(composed):\n"
        "    from hydra.core.hydra_config import HydraConfig\n"
        "    print(HydraConfig.get().sweeper._target_, [name for name in sys.modules if name.startswith('brainage')])\n"
        "    assert 'hydra_plugins.brainage_sweeper' in sys.modules\n\n\n"
        "main()\n"
    )
    ended = run_command(tmp_path, "app.py", "--multirun", "+x=1,2", PYTHONPATH=str(ROOT))
    assert ended.code == 0, ended.text
    assert ended.out.count("hydra._internal.core_plugins.basic_sweeper.BasicSweeper []") == 2


def test_all_extras_are_in_all_and_what_tests_need_has_all() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert extras["all"] == [f"brainage[{','.join(sorted(set(extras) - {'all', 'dev', 'docs'}))}]"]
    assert "brainage[all,docs]" in extras["dev"]
    assert not any("captum" in line for line in project["dependencies"])


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        ((), ("one of train, report", "none")),
        (("trian",), ("'trian'", "Did you mean `brainage train`?")),
        (("modality=ica100",), ("'modality=ica100'",)),
    ],
)
def test_a_word_that_is_no_command_is_one_message(words: tuple[str, ...], facts: tuple[str, ...]) -> None:
    ended = run_command(Path.cwd(), "-m", "brainage", *words)
    assert ended.code == 2 and ended.err.count("\n") == 1
    assert all(fact in ended.err for fact in facts)


def test_every_command_is_in_the_help_and_has_its_own() -> None:
    listed = run_command(Path.cwd(), "-m", "brainage", "--help")
    names = (
        "train",
        "report",
        "predict",
        "compare",
        "explain",
        "store",
        "bundle",
        "simulate",
        "study",
        "panel",
        "adapt",
    )
    assert listed.code == 0 and all(f"\n  brainage {name} " in listed.out for name in names)
    for name in names:
        ended = run_command(Path.cwd(), "-m", "brainage", name, "--help")
        assert ended.code == 0 and f"brainage {name}" in ended.out


def test_no_results_and_no_settings_of_a_machine_get_into_the_container() -> None:
    rules = [line for line in (ROOT / ".containerignore").read_text().splitlines() if line and line[0] != "#"]
    assert rules[0] == "*"
    kept = {rule[1:] for rule in rules if rule[0] == "!"}
    assert "configs/local" in rules[rules.index("!configs") :]
    assert not {name for name in kept if name.startswith(("outputs", "data", ".git", "tests"))}
    assert {name for name in kept if not (ROOT / name).exists()} == set()
    graft = {word for line in (ROOT / "MANIFEST.in").read_text().splitlines() for word in line.split()[1:]}
    needed = {"setup.py", "pyproject.toml", "README.md", "LICENSE", "constraints.txt", "brainage", "hydra_plugins"}
    assert needed | {name for name in graft if not name.startswith("configs/")} <= kept
