"""``predict.py``: trained networks, and people whom they have not seen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from brainage.config.commands import DEFAULT_STORE, PredictCommandConfig
from brainage.config.hydra import parse_as
from brainage.errors import CohortError, DeviceError, EvaluationError
from brainage.system.console import log, show_table
from brainage.system.files import write_whole
from brainage.system.session import carry_out

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from brainage.evaluation.findings import Findings
    from brainage.evaluation.gap import Correction
    from brainage.trained.load import Trained
    from brainage.trained.newcomers import Newcomers

# What a network sees: components in a file, and time points.
_Shape = tuple[int, int]


def predict(composed: DictConfig) -> None:
    """Predict; see `carry_out`.

    Parameters
    ----------
    composed : DictConfig
        Of ``configs/predict.yaml``.
    """

    def work(folder: Path) -> None:
        config = parse_as(composed, PredictCommandConfig)
        _predict(config, folder)

    carry_out(work)


def _predict(config: PredictCommandConfig, folder: Path) -> None:
    from brainage.data.store.exclusions import check_excluded
    from brainage.trained.load import read_trained

    device = _device(config.device)
    networks = [read_trained(path, key) for key, path in _sources(config)]
    met: dict[_Shape, Newcomers] = _meet(config, networks)
    try:
        for newcomers in met.values():
            store, n_scanned = newcomers.store, len(newcomers.selection.scans)
            check_excluded(store, n_scanned, config.cohort.max_excluded_fraction, folder)
    except CohortError:  # whose message names the file
        _write_exclusions(folder, met)
        raise
    people = _who_can_be_predicted(list(met.values()))
    values = _ages_by_network(networks, met, people, device, config.batch_size)
    table = _table(people, values, networks if config.match_ids else [])
    notes = [*_outside(networks, met, people), *_seen(table), *_unknown(networks), *_left_out(config)]
    corrected = _corrected(table, values, networks, config, notes)
    findings = _find(config, table, corrected, met, notes)
    _write(config, folder, table, findings, networks, met, notes)
    _show(table, findings, notes, folder)


def _sources(config: PredictCommandConfig) -> list[tuple[str, Path]]:
    """Return what names each network on the command line, and where it lies."""
    from brainage.runs.read import run_folders

    if config.runs is not None:
        return [("runs", path) for path in run_folders(config.runs)]
    key = "run" if config.run is not None else "bundle"
    return [(key, Path(getattr(config, key)))]


def _shape(trained: Trained) -> _Shape:
    return trained.modality.dimension, trained.modality.n_times


def _meet(config: PredictCommandConfig, networks: Sequence[Trained]) -> dict[_Shape, Newcomers]:
    """Read the people's series, once for all networks that see the same."""
    from brainage.trained.newcomers import people_of

    met: dict[_Shape, Newcomers] = {}
    for trained in networks:
        if _shape(trained) not in met:
            newcomers = people_of(config.cohort, trained.modality, config.store.root or DEFAULT_STORE)
            met[_shape(trained)] = newcomers
    return met


def _write_exclusions(folder: Path, met: dict[_Shape, Newcomers]) -> None:
    import pandas as pd

    from brainage.data.store.exclusions import exclusions_of

    tables = [exclusions_of(newcomers.store) for newcomers in met.values()]
    exclusions = pd.concat(tables).drop_duplicates().sort_values("participant_id", kind="stable")
    write_whole(folder / "exclusions.csv", lambda path: exclusions.to_csv(path, index=False))


def _who_can_be_predicted(met: Sequence[Newcomers]) -> pd.DataFrame:
    """Return participant_id and age of those whose series are there for every network."""
    people = met[0].people[["participant_id", "age"]]
    for newcomers in met[1:]:
        people = people[people["participant_id"].isin(newcomers.people["participant_id"])]
    if people.empty:
        raise EvaluationError(
            "`runs` need people who have series of every kind that the networks see, but nobody has. Predict with "
            "networks of one modality, or look whether the files of both are there."
        )
    return people.reset_index(drop=True)


def _ages_by_network(
    networks: Sequence[Trained], met: dict[_Shape, Newcomers], people: pd.DataFrame, device: str, batch_size: int
) -> NDArray[np.float64]:
    """Return predicted ages of shape (n_participants, n_networks), in years."""
    import numpy as np

    from brainage.trained.newcomers import predicted_ages

    columns = []
    for trained in networks:
        newcomers = met[_shape(trained)]
        network = trained.network().to(device)
        channels = trained.modality.channel_indices
        rows = _rows(newcomers, people)
        columns.append(predicted_ages(network, newcomers.store, rows, channels, batch_size=batch_size))
    values = np.stack(columns, axis=1)
    if not np.isfinite(values).all():
        n_wrong = int((~np.isfinite(values)).any(axis=1).sum())
        raise EvaluationError(
            f"A network must predict finite ages, but does not for {n_wrong} of {len(people)} participants. Its "
            "weights are those of a training that diverged, or not its own; choose another run."
        )
    return values


def _rows(newcomers: Newcomers, people: pd.DataFrame) -> NDArray[np.intp]:
    import numpy as np

    row_of = newcomers.people.set_index("participant_id")["row"]
    return people["participant_id"].map(row_of).to_numpy(np.intp)


def _device(asked: str) -> str:
    """Return the device to predict on."""
    import torch

    if asked == "auto":
        return str(torch.accelerator.current_accelerator()) if torch.accelerator.is_available() else "cpu"
    try:
        torch.zeros(1, device=asked)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise DeviceError(
            f"`device` must be one that this machine has, but got {asked!r}: {reason} Use device=auto or device=cpu."
        ) from None
    return asked


def _table(people: pd.DataFrame, values: NDArray[np.float64], knowing: Sequence[Trained]) -> pd.DataFrame:
    """Return participant_id, split, age, predicted_age, bag, and the spread of an ensemble."""
    table = people.assign(split=_parts(people, knowing), predicted_age=values.mean(axis=1))
    table["bag"] = table["predicted_age"] - table["age"]
    if values.shape[1] > 1:
        table["predicted_age_sd"] = values.std(axis=1, ddof=1)
    return table


def _parts(people: pd.DataFrame, networks: Sequence[Trained]) -> pd.Series:
    """Return the part of a run's split in which somebody was; of several runs', the one that tells them most."""
    import pandas as pd

    parts = pd.Series(None, index=people.index, dtype=object)
    for part in ("test", "val", "train"):
        for trained in networks:
            if trained.people is not None:
                of_part = trained.people.loc[trained.people["split"] == part, "participant_id"]
                parts[people["participant_id"].isin(set(of_part))] = part
    return parts


def _seen(table: pd.DataFrame) -> list[str]:
    """Say how many were learned from."""
    counts = table["split"].value_counts()
    n_learned = int(counts.get("train", 0) + counts.get("val", 0))
    if not n_learned:
        return []
    return [
        f"{n_learned:,} of {len(table):,} participants were trained or validated on: they are in predictions.csv with "
        "their `split`, and in nothing that is measured here. If ids are those of another study, use match_ids=false."
    ]


def _left_out(config: PredictCommandConfig) -> list[str]:
    """Say which jobs of a multirun are not among the networks."""
    from brainage.runs.read import jobs_left_out

    return [] if config.runs is None else [f"Left out: {job}." for job in jobs_left_out(config.runs)]


def _unknown(networks: Sequence[Trained]) -> list[str]:
    """Say of whom it cannot be told whether they were learned from."""
    if all(trained.people is not None for trained in networks):
        return []
    return [
        "A bundle names nobody: whether people here are among those from whom its network learned cannot be told. "
        "Accuracy on them would say nothing of new people."
    ]


def _outside(networks: Sequence[Trained], met: dict[_Shape, Newcomers], people: pd.DataFrame) -> list[str]:
    """Warn of ages and series outside what networks were trained on."""
    import numpy as np

    from brainage.data.training_stats import traits_of

    notes: list[str] = []
    for number, trained in enumerate(networks, start=1):
        which = f"network {number}" if len(networks) > 1 else "the network"
        ages = people["age"].dropna().to_numpy(float)
        if trained.ages is None:
            notes.append(f"Nothing is known of the ages that {which} was trained on.")
        elif n_outside := trained.ages.n_outside(ages):
            notes.append(
                f"{n_outside:,} of {len(ages):,} known ages are outside the {trained.ages.low:.1f} to "
                f"{trained.ages.high:.1f} years that {which} was trained on: predictions there are extrapolations."
            )
        if not trained.series:
            notes.append(f"Nothing is known of the series that {which} was trained on.")
            continue
        newcomers, channels = met[_shape(trained)], np.array(trained.modality.channel_indices)
        for name, values in traits_of(newcomers.store, _rows(newcomers, people), channels):
            spread = trained.series.get(name)
            n_outside = 0 if spread is None else spread.n_outside(values)
            if spread is not None and n_outside:
                notes.append(
                    f"{n_outside:,} of {len(values):,} participants' series are outside what {which} was trained on: "
                    f"{name} {values.min():.3f} to {values.max():.3f} here, {spread.low:.3f} to {spread.high:.3f} "
                    "there."
                )
    return list(dict.fromkeys(notes))


def _corrected(
    table: pd.DataFrame,
    values: NDArray[np.float64],
    networks: Sequence[Trained],
    config: PredictCommandConfig,
    notes: list[str],
) -> tuple[pd.Series, list[Correction]] | None:
    """Return gaps corrected as fitted in each network's run, their mean for several, and the fits; None without."""
    import numpy as np
    import pandas as pd

    if config.gap_correction is not None or table["age"].isna().all():
        return None
    reasons = [trained.uncorrected for trained in networks if trained.correction is None]
    if reasons:
        notes.append(f"No corrected gap: {reasons[0]} Use gap_correction=in_sample to fit it on the people here.")
        return None
    age = table["age"].to_numpy(float)
    fits = [trained.correction for trained in networks if trained.correction is not None]
    if len(fits) == 1:
        fits = [replace(fits[0], fitted_on="the run's own validation participants")]
    else:
        fits = [replace(fit, fitted_on=f"validation of network {number}") for number, fit in enumerate(fits, start=1)]
    gaps = [fit.gap(age, values[:, number]) for number, fit in enumerate(fits)]
    return pd.Series(np.mean(gaps, axis=0), table.index), fits


def _find(
    config: PredictCommandConfig,
    table: pd.DataFrame,
    corrected: tuple[pd.Series, list[Correction]] | None,
    met: dict[_Shape, Newcomers],
    notes: list[str],
) -> Findings | None:
    """Return what gaps tell of those whose age is known and who were not learned from; None where there are none."""
    from brainage.evaluation.findings import Options, analyse

    measured = table["age"].notna() & ~table["split"].isin(["train", "val"])
    if corrected is not None:
        table["bag_corrected"] = corrected[0]
    if not measured.any():
        return None
    rows = table.loc[measured, ["participant_id", "age", "predicted_age"]].assign(split=None).reset_index(drop=True)
    options = Options(
        rows="all",
        gap_correction=config.gap_correction or (corrected[1][0].method if corrected else "none"),
        variables=config.associations.variables,
        n_resamples=config.report.n_resamples,
        seed=config.seed,
        strict=True,
    )
    given = None if corrected is None else (corrected[0][measured].reset_index(drop=True), corrected[1])
    findings = analyse(rows, next(iter(met.values())).selection.phenotypes, options, corrected=given)
    if "bag_corrected" in findings.predictions:
        table.loc[measured, "bag_corrected"] = findings.predictions["bag_corrected"].to_numpy()
    n_ageless = int(table["age"].isna().sum())
    findings.notes[:0] = [*notes, *([f"{n_ageless:,} people of unknown age are predicted."] if n_ageless else [])]
    return findings


def _write(
    config: PredictCommandConfig,
    folder: Path,
    table: pd.DataFrame,
    findings: Findings | None,
    networks: Sequence[Trained],
    met: dict[_Shape, Newcomers],
    notes: Sequence[str],
) -> None:
    from brainage.reporting.page import made_with, write_report
    from brainage.reporting.prediction_page import prediction_page
    from brainage.reporting.run_page import About
    from brainage.runs.analyse import write_findings

    facts = [(f"network {number}", f"{one.label}: {one.folder}") for number, one in enumerate(networks, start=1)]
    facts += [("cohort", config.cohort.name), ("participants", f"{len(table):,}")]
    names = ("participant_id", "split", "age", "predicted_age", "bag", "bag_corrected", "predicted_age_sd")
    predictions = table[[name for name in names if name in table]]
    if findings is None:
        write_whole(folder / "predictions.csv", lambda path: predictions.to_csv(path, index=False))
        write_report(folder, prediction_page(table, networks[0].ages, facts, notes))
    else:
        kinds = Counter(kind for newcomers in met.values() for kind, _ in newcomers.store.excluded.values())
        about = About(
            "Predictions for new participants",
            [*facts, *made_with()],
            exclusions=dict(kinds.most_common()),
            points=config.report.points,
        )
        write_findings(folder, findings, about, predictions)
    _write_exclusions(folder, met)
    record = {
        "networks": [str(trained.folder) for trained in networks],
        "n": len(table),
        "n_with_age": int(table["age"].notna().sum()),
        "n_learned_from": int(table["split"].isin(["train", "val"]).sum()),
        "gap_correction": config.gap_correction or "as in the run",
        "notes": list(notes),
    }
    write_whole(folder / "prediction.json", lambda path: path.write_text(json.dumps(record, indent=2) + "\n"))


def _show(table: pd.DataFrame, findings: Findings | None, notes: Sequence[str], folder: Path) -> None:
    from brainage.runs.analyse import show_findings

    age = table["predicted_age"]
    rows = [
        ("participants", f"{len(table):,}, {int(table['age'].notna().sum()):,} of known age"),
        ("predicted age", f"{age.mean():.1f} ± {age.std(ddof=0):.1f} years, {age.min():.1f} to {age.max():.1f}"),
    ]
    if "predicted_age_sd" in table:
        rows.append(("spread of the networks", f"{table['predicted_age_sd'].mean():.2f} years, mean"))
    show_table("Predictions", ("", ""), rows)
    if findings is not None:
        show_findings(findings)
    else:
        for note in notes:
            log.warning("note: %s", note)
    print(f"Predictions: {folder / 'predictions.csv'}")
    print(f"Report: {folder / 'report.html'}")
