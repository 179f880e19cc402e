"""40,000 participants x ICA100 as UK Biobank's zips, by a user's commands: ``python -m benchmarks.forty_thousand``.

Each stage is measured once with 1,000 and once with 40,000 participants. A stage that is in ``forty_thousand.csv`` here
is not measured again, so the command continues one that was interrupted. It takes an hour on two cores, and 30 GB in
the folder, which may be deleted afterwards.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import PANEL, ROOT, Completed, panel_words, processor, run
from benchmarks.scale import MAPPED, seconds_per_participant, train_words
from brainage.system.console import show_table
from brainage.system.files import write_csv
from brainage.system.provenance import commit

RESULTS = Path(__file__).with_suffix(".csv")
SMALL, LARGE = 1_000, 40_000
# Simulating takes longer than everything else, so that only these differ; the others are copies of them, with the ages.
N_DISTINCT = 4_000
MAX_RATIO, MAX_PEAK_GB = 1.15, 1.5
_AGE = "21003-2.0"


@dataclass(frozen=True)
class Place:
    """Where `n` participants are measured; `n_most` are in the largest cohort."""

    folder: Path
    n: int
    n_most: int

    def cohort(self, store: str = "store") -> list[str]:
        """Return the words that read the cohort, with a store of this name."""
        words = ["cohort=ukb", f"cohort.root={self.folder / 'bulk'}"]
        return [*words, f"cohort.phenotypes={self.folder / 'phenotypes.csv'}", f"store.root={self.folder / store}"]

    def train(self, name: str, *words: str, n_epochs: int) -> Completed:
        """Train in the new folder `name`."""
        shutil.rmtree(self.folder / name, ignore_errors=True)
        chosen = ["modality=ica100", *MAPPED, *self.cohort(), *words]
        return run(self.folder, *train_words(self.folder / name, chosen, n_epochs), watch=True)

    def ingest(self) -> Completed:
        """Train for one epoch without a store."""
        shutil.rmtree(self.folder / "store", ignore_errors=True)
        return self.train("ingested", *panel_words(PANEL[0]), "evaluate=false", n_epochs=1)

    def ingested(self) -> Path:
        """Return the run that wrote the store, after it if it does not exist."""
        if not (self.folder / "ingested" / "summary.json").is_file():
            self.ingest()
        return self.folder / "ingested"

    def epochs(self, name: str, *words: str, n_epochs: int) -> tuple[float, Completed]:
        """Return the median seconds of epochs after the first; small cohorts have more epochs."""
        self.ingested()
        n_epochs = 1 + n_epochs * min(self.n_most // self.n, 20)
        ended = self.train(name, *words, "evaluate=false", n_epochs=n_epochs)
        return seconds_per_participant(self.folder / name) * self.n, ended


def _ingestion(place: Place) -> tuple[float, Completed]:
    ended = place.ingest()
    return json.loads((place.folder / "ingested" / "summary.json").read_text())["seconds"]["ingest"], ended


def _start_up(place: Place) -> tuple[float, Completed]:
    """Return the seconds until the first epoch begins; its row is written when it has ended."""
    place.ingested()
    began = datetime.datetime.now(tz=datetime.UTC).timestamp()
    ended = place.train("again", *panel_words(PANEL[0]), "evaluate=false", n_epochs=1)
    metrics = place.folder / "again" / "metrics.csv"
    with metrics.open() as file:
        (row,) = csv.DictReader(file)
    return metrics.stat().st_mtime - float(row["seconds"]) - began, ended


def _small_network(place: Place) -> tuple[float, Completed]:
    return place.epochs("small", *panel_words(PANEL[0]), n_epochs=2)


def _default_network(place: Place) -> tuple[float, Completed]:
    return place.epochs("default", n_epochs=1)


def _report(place: Place) -> tuple[float, Completed]:
    """Report a run that has its report already, so that connectivity is in the store's folder."""
    place.ingested()
    if not (place.folder / "evaluated" / "report.html").is_file():
        place.train("evaluated", *panel_words(PANEL[0]), n_epochs=1)
    words = (str(ROOT / "report.py"), f"run={place.folder / 'evaluated'}", f"hydra.run.dir={place.folder / 'report'}")
    ended = run(place.folder, *words, watch=True)
    return ended.seconds, ended


def _predict(place: Place) -> tuple[float, Completed]:
    """Predict the participants as if they were new: from the zips, with a bundle."""
    trained = place.ingested()
    bundle, run_folder = place.folder / "bundle", place.folder / "predict"
    for used in (bundle, run_folder, place.folder / "store of new"):
        shutil.rmtree(used, ignore_errors=True)
    run(place.folder, "-m", "brainage", "bundle", "export", "--run", str(trained), "--out", str(bundle))
    words = (f"bundle={bundle}", "match_ids=false", "device=cpu", *place.cohort("store of new"))
    ended = run(place.folder, str(ROOT / "predict.py"), *words, f"hydra.run.dir={run_folder}", watch=True)
    return ended.seconds, ended


STAGES: dict[str, Callable[[Place], tuple[float, Completed]]] = {
    "ingestion from zips": _ingestion,
    "start-up": _start_up,
    "epoch, smallest network": _small_network,
    "epoch, default network": _default_network,
    "predict from zips": _predict,
    "report": _report,
}


def main() -> None:
    """Measure what is not in the table, and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forty_thousand", description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "outputs" / "forty_thousand", help="where files are put")
    parser.add_argument("--sizes", type=int, nargs=2, default=(SMALL, LARGE), help="others have a table in the folder")
    options = parser.parse_args()
    target = RESULTS if tuple(options.sizes) == (SMALL, LARGE) else options.folder / "results.csv"
    rows: list[dict[Any, Any]] = pd.read_csv(target).to_dict("records") if target.is_file() else []
    for name, stage in STAGES.items():
        for n in options.sizes:  # one after the other, because the load of the machine may change
            place = Place(options.folder.resolve() / str(n), n, options.sizes[-1])
            if (name, n) not in [(row["stage"], row["participants"]) for row in rows]:
                _write_files(place)
                rows.append(_row(name, n, *stage(place)))
                write_csv(target, pd.DataFrame(rows))
                print(rows[-1], flush=True)
    _show(pd.DataFrame(rows), *options.sizes)


def _row(name: str, n: int, seconds: float, ended: Completed) -> dict[str, object]:
    facts = {"processor": processor(), "commit": commit(), "date": datetime.datetime.now(tz=datetime.UTC).date()}
    figures = {"seconds": round(seconds, 2), "ms_per_participant": round(1000 * seconds / n, 3)}
    return {"stage": name, "participants": n, **figures, "peak_unique_gb": round(ended.peak / 1e9, 3), **facts}


def _show(table: pd.DataFrame, small: int, large: int) -> None:
    """Print each stage with its ratio of the time per participant."""
    each = table.pivot_table(index="stage", columns="participants", values=["ms_per_participant", "peak_unique_gb"])
    rows = []
    for stage in STAGES:
        (few, many), peak = (
            each["ms_per_participant"].loc[stage, [small, large]],
            each["peak_unique_gb"].loc[stage, large],
        )
        holds = many / few <= MAX_RATIO and peak <= MAX_PEAK_GB
        rows.append([stage, f"{few:.2f}", f"{many:.2f}", f"{many / few:.2f}", f"{peak:.2f}", "yes" if holds else "NO"])
    header = ("stage", f"ms of {small:,}", f"ms of {large:,}", f"ratio ≤ {MAX_RATIO}", f"GB ≤ {MAX_PEAK_GB}", "met")
    show_table("Per participant", header, rows)


def _write_files(place: Place) -> None:
    """Write the zips and the table of a cohort, if they do not exist."""
    distinct = place.folder.parent / "distinct"
    if not distinct.exists():
        unfinished = distinct.with_suffix(".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        words = ("--layout", "ukb", "--out", str(unfinished), "--participants", str(min(N_DISTINCT, place.n_most)))
        run(unfinished.parent, "-m", "brainage", "simulate", *words)
        unfinished.rename(distinct)
    if (place.folder / "phenotypes.csv").exists():
        return
    shutil.rmtree(place.folder, ignore_errors=True)
    (place.folder / "bulk").mkdir(parents=True)
    table = pd.read_csv(distinct / "phenotypes.csv", dtype=str, keep_default_na=False)
    imaged = table[_AGE] != ""
    people = _repeated(table[imaged], place.n)
    for source, eid in zip(people["source"], people["eid"], strict=True):
        shutil.copyfile(distinct / "bulk" / f"{source}_20227_2_0.zip", place.folder / "bulk" / f"{eid}_20227_2_0.zip")
    everybody = pd.concat([people, _repeated(table[~imaged], place.n // 10)])
    everybody.drop(columns="source").to_csv(place.folder / "phenotypes.csv", index=False)


def _repeated(table: pd.DataFrame, n: int) -> pd.DataFrame:
    """Return `n` rows, the first ones several times if there are fewer, with other ids; `source` has the first ones."""
    numbers = np.arange(n)
    rows = table.iloc[numbers % len(table)]
    eids = rows["eid"].astype(int) + 2 * N_DISTINCT * (numbers // len(table))
    return rows.assign(source=rows["eid"], eid=eids.astype(str))


if __name__ == "__main__":
    main()
