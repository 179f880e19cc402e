"""Bad inputs: a folder in which everything is right, and what makes one file of it wrong."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainage.data.cohorts.simulated_writing import series_text

# Recognisable, so that one that gets out is found wherever it went.
IDS = tuple(str(7777001 + number) for number in range(12))
N_TIMES, N_COMPONENTS = 60, 25
NUMBERS = np.random.default_rng(3).standard_normal((N_TIMES, N_COMPONENTS))
SERIES = series_text(NUMBERS).encode()
MEMBER = "fMRI/rfMRI_25.dr/dr_stage1.txt"

# A network and a fit that are over in a moment.
TINY = (
    "modality.n_times=60",
    "model.depth=1",
    "model.kernel_size=3",
    "model.start_out=2",
    "batch_size=4",
    "trainer=cpu",
    "trainer.max_epochs=1",
)
BIDS = ("cohort=bids", "cohort.root=tree", "cohort.pattern='{participant_id}_{dimension}.txt'", *TINY)
UKB = ("cohort=ukb", "cohort.root=bulk", "cohort.phenotypes=ukb.csv", *TINY)

Prepare = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """Something wrong that a user hands over.

    Parameters
    ----------
    name : str
        What it is.
    message : str
        A regular expression of what the user is told.
    words : tuple of str
        The command line behind ``python``; without a script or ``-m``, overrides of ``train.py``.
    prepare : callable or None
        Writes the bad file, in a folder in which all else is right.
    code : int
        The exit code: 2, or 1 where Hydra itself refuses an override.
    """

    name: str
    message: str
    words: tuple[str, ...]
    prepare: Prepare | None = None
    code: int = 2


# --- A folder in which all is right ---


def write_cohorts(folder: Path) -> None:
    """Write one cohort twice: as a tree with ``participants.tsv``, and as UK Biobank's folders with ``ukb.csv``."""
    (folder / "tree").mkdir()
    (folder / "bulk").mkdir()
    (folder / "tree" / "participants.tsv").write_text(people())
    (folder / "ukb.csv").write_text(ukb_table())
    for number, person in enumerate(IDS):
        # Everybody's own: a constant more changes no z-score, so the first number differs too.
        own = SERIES.replace(b" ", b"%d " % number, 1)
        (folder / "tree" / f"{person}_25.txt").write_bytes(own)
        path = folder / "bulk" / person / MEMBER
        path.parent.mkdir(parents=True)
        path.write_bytes(own)


def people(separator: str = "\t", **columns: list[str] | None) -> str:
    """Return a table in which some columns are others; None takes one away."""
    table: dict[str, list[str] | None] = {
        "participant_id": list(IDS),
        "age": [str(50 + number) for number in range(12)],
        "sex": ["F", "M"] * 6,
        "site": ["north", "south"] * 6,
        **columns,
    }
    kept = {name: values for name, values in table.items() if values is not None}
    lines = [list(kept), *([values[row] for values in kept.values()] for row in range(len(IDS)))]
    return "".join(separator.join(line) + "\n" for line in lines)


def ukb_table(age: str = "21003-2.0", eid: str = "eid", ages: list[str] | None = None, more: str = "") -> str:
    lines = [f"{eid},{age}{more}"]
    lines += [f"{person},{ages[row] if ages else 50 + row}{',1' if more else ''}" for row, person in enumerate(IDS)]
    return "\n".join(lines) + "\n"


def first(value: str, rest: list[str]) -> list[str]:
    return [value, *rest[1:]]


AGES = [str(50 + number) for number in range(12)]


# --- What writes the bad files ---


def put(name: str, content: str | bytes) -> Prepare:
    """Write a file."""
    data = content.encode() if isinstance(content, str) else content

    def prepare(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    return prepare


def table(content: str | bytes) -> Prepare:
    return put("tree/participants.tsv", content)


def ukb(content: str | bytes) -> Prepare:
    return put("ukb.csv", content)


def scans(content: bytes, extension: str = ".txt", people: tuple[str, ...] = IDS) -> Prepare:
    """Give people this file in place of their own."""

    def prepare(folder: Path) -> None:
        for person in people:
            (folder / "tree" / f"{person}_25.txt").unlink()
            (folder / "tree" / f"{person}_25{extension}").write_bytes(content)

    return prepare


def zips(content: bytes) -> Prepare:
    def prepare(folder: Path) -> None:
        shutil.rmtree(folder / "bulk")
        (folder / "bulk").mkdir()
        for person in IDS:
            (folder / "bulk" / f"{person}_20227_2_0.zip").write_bytes(content)

    return prepare


def zipped(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def lines(n: int) -> bytes:
    return b"".join(SERIES.splitlines(keepends=True)[:n])


def constant() -> bytes:
    series = NUMBERS.copy()
    series[:, 6] = 0.1
    return series_text(series).encode()


def of_many_kinds(folder: Path) -> None:
    for person, content in zip(IDS, (b"", b"", b"a b\n", lines(59)), strict=False):
        (folder / "tree" / f"{person}_25.txt").write_bytes(content)


def parts(*named: str) -> str:
    """Return a split of everybody; those that are named come first, the others train."""
    each = [*named, *["train"] * (len(IDS) - len(named))]
    return "participant_id,split\n" + "".join(f"{person},{part}\n" for person, part in zip(IDS, each, strict=True))


def both(*prepares: Prepare) -> Prepare:
    def prepare(folder: Path) -> None:
        for one in prepares:
            one(folder)

    return prepare


def folder_instead(name: str) -> Prepare:
    def prepare(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir(parents=True)

    return prepare


def gone(name: str) -> Prepare:
    return lambda folder: shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()


def edit(name: str, old: str, new: str) -> Prepare:
    """Change some words of a file."""

    def prepare(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return prepare


class Marker:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("marker"),))


def last_ckpt(content: Any) -> Prepare:
    return lambda folder: torch.save(content, folder / "run" / "checkpoints" / "last.ckpt")


def cut(name: str, n_bytes: int) -> Prepare:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:n_bytes])


def changed_checkpoint(change: Callable[[dict[str, Any]], object]) -> Prepare:
    def prepare(folder: Path) -> None:
        path = folder / "run" / "checkpoints" / "last.ckpt"
        checkpoint = torch.load(path, weights_only=True)
        change(checkpoint)
        torch.save(checkpoint, path)

    return prepare
