"""The steps of an explanation, from a network and participants to a page."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from brainage.commands.explained import available_participants, differing, drawn, means, series
from brainage.commands.other_networks import other_trainings, with_others, with_shuffled
from brainage.config.commands.explain import ExplainCommandConfig
from brainage.config.groups.cohort import CohortConfig
from brainage.config.groups.modality import FETCHERS
from brainage.data.atlas import Atlas, read_atlas
from brainage.data.participants import Participants
from brainage.errors import BrainageError
from brainage.explanation.explain import explain
from brainage.explanation.summary import Explanation
from brainage.reporting.explanation_figures import size_name
from brainage.reporting.explanation_page import check_rows, component_rows, explanation_page
from brainage.reporting.figure import Figure
from brainage.reporting.page import write_report
from brainage.system.console import show_note, show_table
from brainage.system.failures import noted
from brainage.system.files import write_csv, write_text, write_whole
from brainage.trained.load import read_trained
from brainage.trained.network import Trained

# Largest number of printed components; all are in the report.
_N_SHOWN = 12


def explain_predictions(config: ExplainCommandConfig, folder: Path) -> None:
    """Explain the predictions of a network for a sample of participants, and write and print the results."""
    key = "run" if config.run is not None else "bundle"
    trained = read_trained(Path(str(getattr(config, key))), key, config.again)
    others = other_trainings(config.other_runs, trained)
    name, available, training = available_participants(config, trained)
    explained = replace(drawn(available, config), shuffle_seed=trained.shuffle_seed)
    notes: list[str] = []
    atlas = _atlas(config, trained, notes)
    if len(explained) < config.participants:
        notes.append(
            f"There are {len(explained):,} {name}, fewer than participants={config.participants}: all are explained."
        )
    shown, reference = series(explained), means(explained)
    found = explain(
        trained.network(),
        shown,
        components=[channel + 1 for channel in explained.channels],
        t_r=trained.modality.t_r,
        n_windows=config.n_windows,
        n_steps=config.n_steps,
        seed=config.seed,
        reference=reference,
    )
    found = with_others(found, shown, reference, others)
    found = with_shuffled(found, shown, reference, config, trained, training, folder)
    notes += _on_series(config, trained, explained, found)
    # The order of the sample follows from the seed, so it would tell whose rows they are.
    rows = np.random.default_rng().permutation(len(explained))
    found = replace(
        found,
        notes=[*notes, *found.notes],
        shown_rows=rows,
        names=explained.channel_names,
        scale=explained.scale,
        ages=explained.ages.astype(np.float64),
        n_resamples=config.report.n_resamples,
    )
    _write(config, folder, trained, found, name, len(available), _brain(found, atlas, folder))
    _show(found, folder)


def _on_series(
    config: ExplainCommandConfig, trained: Trained, explained: Participants, found: Explanation
) -> list[str]:
    """Return notes on how the explained series differ from what the network was trained on, or predicted from."""
    notes = []
    if trained.shuffle_seed is not None:
        notes.append(
            "The network was trained on shuffled time points, and so are these series: effects over time are those of "
            "random time points."
        )
    if n_longer := int((explained.store.lengths[explained.rows] > explained.n_times).sum()):
        notes.append(
            f"{n_longer:,} of {len(explained):,} series are longer than {explained.n_times} time points: the "
            "prediction from their first window is explained, not the mean over all windows."
        )
    elif not isinstance(config.cohort, CohortConfig) and trained.run is not None:
        notes += differing(trained.run, explained, found)
    return notes


def _write(
    config: ExplainCommandConfig,
    folder: Path,
    trained: Trained,
    found: Explanation,
    name: str,
    n_available: int,
    brain: Figure | None,
) -> None:
    n = len(found.maps.predicted)
    for file_name, table in (
        ("components.csv", found.component_table()),
        ("map.csv", found.map_table()),
        ("time.csv", found.time_table()),
        ("participants.csv", found.participants_table()),
    ):
        write_csv(folder / file_name, table)

    def write_arrays(path: Path) -> None:
        with path.open("wb") as file:
            np.savez_compressed(file, **found.arrays())  # type: ignore[arg-type]

    write_whole(folder / "maps.npz", write_arrays)
    record = {"network": str(trained.folder), "people": name, "n_available": n_available, **found.facts()}
    write_text(folder / "explanation.json", json.dumps(record, indent=2) + "\n")
    modality = trained.modality
    listed = ", ".join(found.labels)
    facts = [
        ("network", f"{trained.label}: {trained.folder}"),
        ("participants", f"{n:,} of {n_available:,} {name}, drawn with seed {config.seed}"),
        (f"{found.kind}s", f"{modality.chosen}, {len(found.components)} of {modality.dimension}: {listed}"),
        ("windows, steps, resamples", f"{config.n_windows}, {config.n_steps}, {config.report.n_resamples:,}"),
    ]
    title = f"Explanation of predictions: {trained.label}"
    write_report(folder, explanation_page(found, facts, brain, title=title, points=config.report.points))


def _atlas(config: ExplainCommandConfig, trained: Trained, notes: list[str]) -> Atlas | None:
    """Return the atlas that the command line names, or else the network's own file, whose errors are notes."""
    n_channels, own = trained.modality.dimension, trained.modality.atlas
    if config.atlas in FETCHERS:
        # Nilearn takes seconds.
        from brainage.explanation.nilearn_atlases import fetched_atlas

        return fetched_atlas(config.atlas, n_channels, "atlas")
    if config.atlas is not None:
        return read_atlas(Path(config.atlas), n_channels, "atlas")
    if own in FETCHERS:
        notes.append(f"No picture of the brain: atlas={own} lets nilearn download its atlas, once.")
    elif own is not None:
        try:
            return read_atlas(Path(own), n_channels, "modality.atlas", follow=False)
        except BrainageError as error:
            notes.append(f"No picture of the brain: {error} Give it with atlas=FILE.")
    return None


def _brain(found: Explanation, atlas: Atlas | None, folder: Path) -> Figure | None:
    """Return `_in_brain`; None without an atlas, or where it fails, which is a note."""
    if atlas is not None:
        with noted(found.notes, "No picture of the brain"):
            return _in_brain(found, atlas, folder)
    return None


def _in_brain(found: Explanation, atlas: Atlas, folder: Path) -> Figure:
    """Write ``brain.nii.gz``, whose volumes are those of `Explanation.volumes`, and return its figure."""
    # Nilearn takes seconds.
    from brainage.reporting.brain_figure import brain

    image = atlas.painted(found.components, np.array(list(found.volumes.values())))
    write_whole(folder / "brain.nii.gz", lambda path: path.write_bytes(gzip.compress(image.to_bytes(), mtime=0)))
    return brain(image, what=size_name(found), maps=atlas.labels is None, single=len(found.maps.predicted) < 2)


def _show(found: Explanation, folder: Path) -> None:
    header, rows = component_rows(found)
    shown = rows[:_N_SHOWN]
    n = len(found.maps.predicted)
    title = f"Effects on the predictions of {n:,} participants, in years; {len(shown)} of {len(rows)} {found.kind}s"
    show_table(title, header, shown)
    show_table("Checks", *check_rows(found))
    for note in found.notes:
        show_note(note)
    print(f"Report: {folder / 'report.html'}")
