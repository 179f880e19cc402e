"""Recognisable ids are planted, everything that exists is run with every logger, and every byte left is searched."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure
from pytorch_lightning import Callback, LightningModule, Trainer

from brainage.commands.simulate import main as write_files
from brainage.data.cohorts.simulated import SimulatedCohort
from tests.conftest import ROOT, Ended, run_command

pytestmark = pytest.mark.more

N_PEOPLE = 40
# Where ids may be: these files, wherever they are, and the store.
ALLOWED = ("splits.csv", "exclusions.csv", "predictions.csv", "pooled_predictions.csv")
LOGGERS = sorted(path.stem for path in (ROOT / "configs" / "logger").glob("*.yaml") if path.stem != "none")

# Runs one command after the other inside one process, which spares the imports; between them stand marks.
DRIVER = """
import gc, json, runpy, sys
from hydra.core.global_hydra import GlobalHydra
root, *commands = json.loads(sys.argv[1])
sys.path.insert(0, root)
for words in commands:
    GlobalHydra.instance().clear()
    module, sys.argv = words[0], list(words)
    code = 0
    try:
        if module.endswith(".py"):
            runpy.run_path(f"{root}/{module}", run_name="__main__")
        else:
            sys.modules.pop(module, None)
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code or 0
    print(f"\\n=== exit code {code}", flush=True)
    gc.freeze()  # what was imported is not collected again and again
"""


class Crash(Callback):
    """Fails in the middle of a training as a library would that quotes what it was given."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        table = next(Path().glob("outputs/crash/splits.csv")).read_text()
        raise KeyError(f"['{table.split()[1].split(',')[0]}'] not in sub-{table.split()[2].split(',')[0]}_x.txt")


@dataclass(frozen=True)
class Step:
    """A command and how it ends."""

    words: tuple[str, ...]
    code: int = 0


def train(*words: str, code: int = 0) -> Step:
    # As small as may be.
    small = ("trainer=cpu", "batch_size=8", "model.start_out=4", "trainer.max_epochs=1")
    return Step(("train.py", *small, *words), code)


UKB = ("cohort=ukb", "cohort.root=../data/ukb/bulk", "cohort.phenotypes=../data/ukb/phenotypes.csv")
BIDS = ("cohort=bids", "cohort.root=../data/bids")
EVERY_LOGGER = f"logger=[{','.join(LOGGERS)}]"
LOOSE = "cohort.max_excluded_fraction=0.2"
STEPS = (
    train(*UKB, EVERY_LOGGER, LOOSE, "cohort.exclude_ids=../data/withdrawn.txt", "hydra.run.dir=outputs/train/first"),
    Step(("train.py", "resume=outputs/train/first", "trainer.max_epochs=2")),
    *(
        Step(
            (
                *("train.py", *UKB, EVERY_LOGGER, LOOSE, "cohort.exclude_ids=../data/withdrawn.txt", "trainer=cpu"),
                *("split=leave_site_out", "split.site=11025", f"model={model}", f"hydra.run.dir=outputs/train/{place}"),
                *("gap_correction=in_sample", "associations.rows=all"),
            )
        )
        for place, model in (("second", "ridge_connectivity"), ("third", "mean_age"))
    ),
    Step(("report.py", "run=outputs/train/first", "gap_correction=in_sample", "associations.rows=all")),
    Step(
        (
            "report.py",
            "predictions=outputs/train/second/predictions.csv",
            "gap_correction=none",
            "associations.rows=all",
        )
    ),
    Step(("report.py", "predictions=../data/two_words.txt"), 2),
    Step(("compare.py", "runs=[outputs/train/second,outputs/train/third]", "ensemble=mean")),
    Step(("compare.py", "runs=[outputs/train/second,outputs/train/third]", "ensemble=stack"), 2),
    Step(("compare.py", "runs=[outputs/train/first,outputs/train/first]"), 2),
    train(*BIDS, EVERY_LOGGER, LOOSE, "split=kfold", "split.n_folds=2", "split.fold=0,1", "--multirun"),
    train(*UKB, EVERY_LOGGER, LOOSE, "split=leave_site_out", "split.site=11025"),
    train(*UKB, EVERY_LOGGER, LOOSE, "split=fixed", "split.file=outputs/train/first/splits.csv", "--multirun"),
    train("cohort.n_participants=40", EVERY_LOGGER),
    train("cohort.n_participants=40", "logger=none"),
    train(
        *(*UKB, EVERY_LOGGER, LOOSE, "sweep=variable1dcnn", "hydra.sweeper.n_trials=1"),
        *("model.depth=1", "cohort.exclude_ids=../data/withdrawn.txt", "--multirun"),
    ),
    # A trial of several seeds, its errors compared with the best one's, and the best trained again.
    train(
        *(*UKB, EVERY_LOGGER, LOOSE, "sweep=variable1dcnn", "hydra.sweeper.n_trials=2", "model.depth=1"),
        *("cohort.exclude_ids=../data/withdrawn.txt", "hydra.sweeper.start_from=variable1dcnn-ica25"),
        *("hydra.sweeper.over='seed=1,2'", "hydra.sweeper.confirm=1", "hydra.sweeper.study_name=over", "--multirun"),
    ),
    # Trained networks.
    Step(("predict.py", "run=outputs/train/first", *UKB, LOOSE, "cohort.exclude_ids=../data/withdrawn.txt")),
    Step(("brainage.bundle.__main__", "export", "--run", "outputs/train/first", "--out", "outputs/bundle")),
    Step(("predict.py", "bundle=outputs/bundle", *BIDS, LOOSE, "cohort.phenotypes=../data/ageless.tsv")),
    Step(("predict.py", "bundle=outputs/bundle", *BIDS, LOOSE, "cohort.phenotypes=../data/repeated.tsv"), 2),
    Step(("predict.py", "bundle=outputs/bundle", *BIDS, "cohort.max_excluded_fraction=0"), 2),
    Step(("brainage.__main__", "adapt", "bundle=outputs/bundle", *BIDS, LOOSE, "adapt.participants=0.5")),
    Step(
        (
            "brainage.__main__",
            "adapt",
            "bundle=outputs/bundle",
            *BIDS,
            LOOSE,
            "adapt.participants=../data/two_words.txt",
        ),
        2,
    ),
    Step(("brainage.__main__", "bundle", "export", "--run", "outputs/train/third", "--out", "outputs/none"), 2),
    Step(("explain.py", "run=outputs/train/first", "participants=3", "report.n_resamples=100")),
    # Mistakes.
    train(*UKB, EVERY_LOGGER, "cohort.max_excluded_fraction=0", code=2),
    train(*BIDS, EVERY_LOGGER, LOOSE, "cohort.phenotypes=../data/repeated.tsv", code=2),
    train(*BIDS, EVERY_LOGGER, LOOSE, "cohort.phenotypes=../data/ageless.tsv", code=2),
    train(*BIDS, EVERY_LOGGER, LOOSE, "split=fixed", "split.file=../data/repeated_split.csv", code=2),
    train(*BIDS, EVERY_LOGGER, LOOSE, "split=fixed", "split.file=../data/unknown_part.csv", code=2),
    train(*BIDS, EVERY_LOGGER, LOOSE, "cohort.include=\"participant_id != 'planted07'\"", code=2),
    train(*UKB, EVERY_LOGGER, LOOSE, "cohort.exclude_ids=../data/two_words.txt", code=2),
    train(
        *(*BIDS, EVERY_LOGGER, LOOSE, "hydra.run.dir=outputs/crash"),
        "trainer.callbacks=[{_target_: tests.commands.test_privacy.Crash}]",
        code=1,
    ),
    # Stores.
    Step(("brainage.__main__", "check", *UKB, "write=outputs/mine")),
    Step(("brainage.__main__", "check", *BIDS, "modality=ica100")),
    Step(("brainage.data.store.__main__", "list")),
    Step(("brainage.__main__", "store", "verify")),
    Step(("brainage.__main__", "store", "purge", "--ids", "../data/withdrawn.txt")),
    Step(("brainage.__main__", "store", "purge", "--ids", "../data/two_words.txt"), 2),
    Step(("brainage.study.__main__", "--out", "outputs/study", *BIDS, "cohort.phenotypes=../data/repeated.tsv"), 1),
    Step(
        (
            *("brainage.study.__main__", "--out", "outputs/other", *BIDS),
            "cohort.include=participant_id != 'planted07'",
        ),
        2,
    ),
    Step(
        (
            *("brainage.__main__", "panel", "--out", "outputs/panel", "--models", "ridge_motion", "--splits", "2"),
            *("--reference", "mean_age", *BIDS, LOOSE, "store.root=outputs/own/store"),  # the other has been purged
        )
    ),
    Step(
        (
            *("brainage.__main__", "panel", "--out", "outputs/no_panel", *BIDS),
            "cohort.include=participant_id != 'planted07'",
        ),
        2,
    ),
    Step(("brainage.data.simulated", "--layout", "bids", "--out", "../more", "--participants", "2")),
    Step(("train.py", "--help")),
    train(*UKB, "--cfg", "job"),
)


@dataclass(frozen=True)
class Planted:
    """What was left: files by where they are, and what was printed."""

    ids: frozenset[str]
    out: Path
    ended: Ended


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """Run it all, with participants' files in a folder of their own."""
    folder = tmp_path_factory.mktemp("privacy")
    data, out = folder / "data", folder / "out"
    home = out / "home"
    home.mkdir(parents=True)
    ids = _plant_ukb(data) | _plant_bids(data)
    (data / "withdrawn.txt").write_text("9000003\n9000004\nplanted03\n")
    (data / "two_words.txt").write_text("9000003\n9000004 9000005\n")
    places = {name: str(home) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    job = json.dumps([str(ROOT), *(step.words for step in STEPS)])
    ended = run_command(out, "-c", DRIVER, job, **places)
    simulated = {str(n) for n in SimulatedCohort(n_participants=40).read_table()["participant_id"]}
    return Planted(ids | simulated, out, ended)


def _plant_ukb(data: Path) -> frozenset[str]:
    """Write UK Biobank's files; three of them cannot be used."""
    assert write_files(["--layout", "ukb", "--out", str(data / "ukb"), "--participants", str(N_PEOPLE)]) == 0
    archives = sorted((data / "ukb" / "bulk").glob("*.zip"))
    archives[5].write_bytes(b"no archive")
    for archive in archives[6:8]:
        archive.write_bytes(archive.read_bytes()[:1000])
    table = (data / "ukb" / "phenotypes.csv").read_text()
    return frozenset(re.findall(r"\b9000\d{3}\b", table))


def _plant_bids(data: Path) -> frozenset[str]:
    """Write a BIDS-like tree with other names, three unusable files, and tables with mistakes."""
    tree = data / "bids"
    assert write_files(["--layout", "bids", "--out", str(tree), "--participants", str(N_PEOPLE)]) == 0
    table = (tree / "participants.tsv").read_text()
    names = {line.split("\t")[0]: f"planted{i:02d}" for i, line in enumerate(table.splitlines()[1:])}
    for former, name in names.items():
        bare = former.removeprefix("sub-")
        table = re.sub(rf"\b{re.escape(former)}\b", name, table)
        for path in sorted(tree.rglob(f"*{bare}*"), key=lambda path: len(path.parts), reverse=True):
            path.rename(path.with_name(path.name.replace(bare, name)))
    (tree / "participants.tsv").write_text(table)
    header, first, *others = table.splitlines()
    (data / "repeated.tsv").write_text("\n".join([header, first, first, *others]))
    position = header.split("\t").index("age")
    ageless = ["\t".join("n/a" if i == position else value for i, value in enumerate(first.split("\t"))), *others]
    (data / "ageless.tsv").write_text("\n".join([header, *ageless]))
    (data / "repeated_split.csv").write_text("participant_id,split\nplanted01,train\nplanted01,val\n")
    (data / "unknown_part.csv").write_text("participant_id,split\nplanted01,training\n")
    for one in ("planted09", "planted10", "planted11"):
        next(tree.rglob(f"*{one}*ica-25.txt")).write_text("nan\n")
    return frozenset(names.values())


def _contents(path: Path) -> Iterator[bytes]:
    """Yield a file as it is, and unpacked where it is an archive."""
    data = path.read_bytes()
    if data.startswith(b"\x89PNG"):  # in packed pixels, three bytes before a run of zeros make a number
        yield from _png_contents(data)
        return
    yield data
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from (name.encode() for name in archive.namelist())
            yield from (archive.read(name) for name in archive.namelist())
    elif data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)


def _png_contents(data: bytes) -> Iterator[bytes]:
    """Yield whatever a picture holds beside its pixels, none of it packed."""
    place = 8
    while place < len(data):
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        assert kind in (b"IHDR", b"sBIT", b"pHYs", b"tEXt", b"IDAT", b"IEND"), f"a picture with {kind!r}"
        if kind != b"IDAT":
            yield data[place : place + 12 + length]
        place += length + 12


def _forms(person: str) -> Iterator[bytes]:
    """Yield how an id may be written: as text of each width, and as a number of eight bytes or of a pickle's four."""
    for encoding in ("utf-8", "utf-16-le", "utf-32-le"):
        yield person.encode(encoding)
    if person.isdigit():
        yield int(person).to_bytes(8, "little")
        yield b"J" + int(person).to_bytes(4, "little")


def _people_in(data: bytes, ids: frozenset[str]) -> set[str]:
    return {person for person in ids for form in _forms(person) if form in data}


def _is_allowed(path: Path) -> bool:
    return path.name in ALLOWED or "store" in path.parts


def test_all_of_it_ran_and_ended_as_it_should(planted: Planted) -> None:
    codes = [int(code) for code in re.findall(r"^=== exit code (\d+)$", planted.ended.out, re.M)]
    assert codes == [step.code for step in STEPS], planted.ended.text


def test_the_search_finds_ids_where_they_belong(planted: Planted) -> None:
    found = {
        path.name if path.name in ALLOWED else "store": len(_people_in(path.read_bytes(), planted.ids))
        for path in planted.out.rglob("*")
        if path.is_file() and _is_allowed(path) and path.suffix != ".npy" and _people_in(path.read_bytes(), planted.ids)
    }
    assert set(found) == {*ALLOWED, "store"}
    # Those who withdrew were purged.
    assert {path.name for path in planted.out.rglob("*") if path.is_file() and b"9000003" in path.read_bytes()} == set()


def test_the_search_finds_an_id_in_a_checkpoint(tmp_path: Path) -> None:
    for number, content in enumerate(("planted07", 9000007, {"9000007": 1}, torch.tensor([9000007]))):
        path = tmp_path / f"{number}.ckpt"
        torch.save({"state_dict": {}, "callbacks": {"seen": content}}, path)
        ids = frozenset({"planted07", "9000007", "9000008"})
        assert any(_people_in(data, ids) for data in _contents(path))


def test_the_search_finds_an_id_in_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    canvas = Figure(figsize=(1, 1))
    canvas.savefig(path, metadata={"Author": "planted07"})
    assert any(_people_in(data, frozenset({"planted07"})) for data in _contents(path))
    canvas.savefig(path)
    assert not any(_people_in(data, frozenset({"planted07"})) for data in _contents(path))


def test_only_their_owner_may_read_files_with_ids_and_enter_their_folders(planted: Planted) -> None:
    files = [path for path in planted.out.rglob("*") if path.is_file() and path.name in (*ALLOWED, "index.txt")]
    assert {path.name for path in files} == {*ALLOWED, "index.txt"}
    open_to_others = [path for file in files for path in (file, file.parent) if path.stat().st_mode & 0o077]
    assert open_to_others == []
    umask = os.umask(0)
    os.umask(umask)
    assert (planted.out / "outputs" / "store").stat().st_mode & 0o777 == 0o777 & ~umask


def test_ids_are_nowhere_else(planted: Planted) -> None:
    leaks = {
        str(path.relative_to(planted.out)): n
        for path in planted.out.rglob("*")
        if path.is_file() and not _is_allowed(path)
        for n in [sum(len(_people_in(data, planted.ids)) for data in _contents(path))]
        if n
    }
    assert leaks == {}
    assert [path for path in planted.out.rglob("*") if _people_in(path.name.encode(), planted.ids)] == []


def test_the_console_names_nobody(planted: Planted) -> None:
    assert _people_in(planted.ended.out.encode(), planted.ids) == set()
    assert _people_in(planted.ended.err.encode(), planted.ids) == set()
    assert "KeyError: \"['<participant>'] not in <participant>_x.txt\"" in planted.ended.text


def test_what_was_searched_is_what_loggers_and_checkpoints_write(planted: Planted) -> None:
    names = [path.name for path in planted.out.rglob("*") if path.is_file()]
    for pattern in (
        r"run-.*\.wandb",
        r"events\.out\.tfevents\..*",
        r"mlflow\.db",
        r"hparams\.yaml",
        r"last\.ckpt",
        r"config\.yaml",
        r".*\.log",
        r"confirmation\.csv",
    ):
        assert any(re.fullmatch(pattern, name) for name in names), pattern


def test_every_command_that_exists_is_among_those_that_ran() -> None:
    started = [
        path.relative_to(ROOT)
        for path in (*ROOT.glob("*.py"), *(ROOT / "brainage").rglob("*.py"))
        if '__name__ == "__main__"' in path.read_text()
    ]
    commands = {path.name if len(path.parts) == 1 else ".".join(path.with_suffix("").parts) for path in started}
    assert commands == {step.words[0] for step in STEPS}
