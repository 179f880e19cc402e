"""``compare.py``: finished runs side by side, on the test participants that they share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from brainage.config.commands import CompareCommandConfig
from brainage.config.hydra import parse_as
from brainage.system.console import show_table
from brainage.system.files import write_whole
from brainage.system.session import carry_out

if TYPE_CHECKING:
    from brainage.runs.read import Run


def compare(composed: DictConfig) -> None:
    """Compare; see `carry_out`.

    Parameters
    ----------
    composed : DictConfig
        Of ``configs/compare.yaml``.
    """

    def work(folder: Path) -> None:
        config = parse_as(composed, CompareCommandConfig)
        _compare(config, folder)

    carry_out(work)


def _compare(config: CompareCommandConfig, folder: Path) -> None:
    from brainage.evaluation.compare_runs import Member, side_by_side
    from brainage.reporting.comparison_page import comparison_page, difference_rows, metric_rows
    from brainage.reporting.page import write_report
    from brainage.runs.read import jobs_left_out, read_run, run_folders

    runs = [read_run(path, "runs") for path in run_folders(config.runs)]
    left_out = jobs_left_out(config.runs)
    members = [Member(name, run.predictions) for name, run in zip(_names(runs), runs, strict=True)]
    found = side_by_side(members, n_resamples=config.report.n_resamples, seed=config.seed, ensemble=config.ensemble)
    parameters = [run.summary["model"]["parameters"] for run in runs]
    places = [(member.name, str(run.folder)) for member, run in zip(members, runs, strict=True)]
    page = comparison_page(found, places, parameters, left_out, points=config.report.points)

    if found.ensemble is not None:
        ensemble = found.ensemble.to_csv(index=False)
        write_whole(folder / "predictions.csv", lambda path: path.write_text(ensemble))
    write_whole(folder / "comparison.csv", lambda path: found.metrics.to_csv(path, index=False))
    write_whole(folder / "differences.csv", lambda path: found.differences.to_csv(path, index=False))
    facts = {
        "runs": dict(places),
        "left_out": left_out,
        "n_shared": found.n_shared,
        "n_test": found.n_test,
        "seed": config.seed,
    }
    write_whole(folder / "comparison.json", lambda path: path.write_text(json.dumps(facts, indent=2) + "\n"))
    write_report(folder, page)
    print(f"{found.n_shared:,} test participants are shared, of {', '.join(f'{n:,}' for n in found.n_test)}.")
    show_table("On these, raw predictions (95 % interval)", *metric_rows(found, parameters))
    show_table("MAE of the first less that of the second, paired", *difference_rows(found))
    for job in left_out:
        print(f"Left out: {job}")
    if found.ensemble is not None:
        print(f"The mean of all, with the spread of its members: {folder / 'predictions.csv'}")
    print(f"Report: {folder / 'report.html'}")


def _names(runs: Sequence[Run]) -> list[str]:
    """Return what each run is called: its number, what it is, and its seed where others are the same but for that."""
    labels = [run.label for run in runs]
    seeds = [f", seed {run.config.seed}" if labels.count(run.label) > 1 else "" for run in runs]
    return [f"{number}: {label}{seed}" for number, (label, seed) in enumerate(zip(labels, seeds, strict=True), start=1)]
