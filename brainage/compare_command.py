"""``compare.py``: finished runs side by side, on the test participants that they share."""

from __future__ import annotations

import json
from pathlib import Path

from omegaconf import DictConfig

from brainage import config_reading
from brainage.command import carry_out
from brainage.command_configs import CompareCommandConfig
from brainage.console import show_table
from brainage.errors import EvaluationError, MissingPathError
from brainage.run import write_whole


def compare(composed: DictConfig) -> None:
    """Compare; see `carry_out`.

    Parameters
    ----------
    composed : DictConfig
        Of ``configs/compare.yaml``.
    """

    def work(folder: Path, ids: set[str]) -> None:
        config = config_reading.parse_any(composed)
        assert isinstance(config, CompareCommandConfig)
        _compare(config, folder, ids)

    carry_out(work)


def _compare(config: CompareCommandConfig, folder: Path, ids: set[str]) -> None:
    from brainage.evaluation.side_by_side import Member, side_by_side
    from brainage.finished import read_run
    from brainage.reporting.comparison_page import comparison_page, difference_rows, metric_rows
    from brainage.reporting.page import write_report

    runs = [read_run(path, "runs") for path in run_folders(config.runs)]
    for run in runs:
        ids.update(run.predictions["participant_id"])
    members = [Member(f"{number}: {run.label}", run.predictions) for number, run in enumerate(runs, start=1)]
    found = side_by_side(members, n_resamples=config.report.n_resamples, seed=config.seed, ensemble=config.ensemble)
    parameters = [run.summary["model"]["parameters"] for run in runs]
    places = [(member.name, str(run.folder)) for member, run in zip(members, runs, strict=True)]
    page = comparison_page(found, places, parameters, points=config.report.points)

    if found.ensemble is not None:
        ensemble = found.ensemble.to_csv(index=False)
        write_whole(folder / "predictions.csv", lambda path: path.write_text(ensemble))
    write_whole(folder / "comparison.csv", lambda path: found.metrics.to_csv(path, index=False))
    write_whole(folder / "differences.csv", lambda path: found.differences.to_csv(path, index=False))
    facts = {"runs": dict(places), "n_shared": found.n_shared, "n_test": found.n_test, "seed": config.seed}
    write_whole(folder / "comparison.json", lambda path: path.write_text(json.dumps(facts, indent=2) + "\n"))
    write_report(folder, page)
    print(f"{found.n_shared:,} test participants are shared, of {', '.join(f'{n:,}' for n in found.n_test)}.")
    show_table("On these, raw predictions (95 % interval)", *metric_rows(found, parameters))
    show_table("MAE of the first less that of the second, paired", *difference_rows(found))
    print(f"Report: {folder / 'report.html'}")


def run_folders(given: list[str] | str) -> list[Path]:
    """Return the folders of the runs that are to be compared.

    Parameters
    ----------
    given : list of str, or str
        ``runs=``: folders of runs, or one folder of a multirun.

    Raises
    ------
    MissingPathError, EvaluationError
        There is no such folder, or it holds fewer than two finished runs; or a run is named twice.
    """
    if isinstance(given, str) or len(given) == 1:
        parent = Path(given if isinstance(given, str) else given[0])
        if not parent.is_dir():
            raise MissingPathError(
                f"`runs={parent}` must be a multirun's folder, or a list of runs: it does not exist."
            )
        found = sorted(
            (path.parent for path in parent.glob("*/predictions.csv")),
            key=lambda path: (not path.name.isdigit(), int(path.name) if path.name.isdigit() else 0, path.name),
        )
    else:
        found = [Path(run) for run in given]
    if len(found) < 2:
        raise EvaluationError(
            f"`runs` must name two finished runs or more, or a multirun's folder that holds them, but got "
            f"{len(found)}. Use runs=[FOLDER,FOLDER]."
        )
    if len({path.resolve() for path in found}) < len(found):
        raise EvaluationError("`runs` must name different runs, but one is named twice. Remove it.")
    return found
