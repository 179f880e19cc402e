"""``adapt``: adapt a trained network to a new site with some of its participants, and predict the others."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from omegaconf import DictConfig

from brainage.commands.predict import check_excluded_of, predict_with
from brainage.config.commands.adapt import AdaptCommandConfig
from brainage.config.commands.predict import PredictCommandConfig
from brainage.config.commands.shared import DEFAULT_STORE
from brainage.config.hydra import parse_as
from brainage.data.cohorts.ids import read_ids
from brainage.data.splits.checks import group_keys
from brainage.errors import CohortError, OutputError
from brainage.evaluation.adaptation_errors import measure_others
from brainage.evaluation.disclosure import MIN_SHOWN
from brainage.evaluation.variables import columns_to_read
from brainage.reporting.adaptation_section import HEADER, adaptation_section, method_rows
from brainage.reporting.page import Page, Section, Table, made_with, write_report
from brainage.system.console import log, show_note, show_table
from brainage.system.files import write_text
from brainage.system.session import carry_out

if TYPE_CHECKING:
    from brainage.trained.ensemble import Ensemble
    from brainage.trained.network import Trained

# Fewer controls give an offset that is uncertain by a year and more.
_FEW = 20


def adapt(composed: DictConfig) -> None:
    """Adapt, from a config composed of ``configs/adapt.yaml``."""
    carry_out(lambda folder: _adapt(parse_as(composed, AdaptCommandConfig), folder))


def _adapt(config: AdaptCommandConfig, folder: Path) -> None:
    from brainage.trained import adapted_bundle, bundle, ensemble, load, stack, t_r

    device = ensemble.usable_device(config.device)
    if (place := folder / "bundle").exists():
        raise OutputError(f"`hydra.run.dir={folder}` must be a folder without a bundle, but has one. Choose another.")
    networks, parent = load.read_models([("bundle", Path(config.bundle))])
    networks = list(map(t_r.resampling, networks)) if config.resample else networks
    phenotypes = partial(columns_to_read, config.associations.variables)
    samples = ensemble.read_samples(networks, config.cohort, config.store.root or DEFAULT_STORE, phenotypes)
    check_excluded_of(config.cohort, folder, list(samples.values()))
    before = ensemble.Ensemble(networks, samples, parent)
    table, n_resamples = before.table(), config.report.n_resamples
    chosen = _chosen(config, table)
    controls, rest = [before.participants_for(one, table[chosen]) for one in networks], table[~chosen]
    how: dict[str, Any] = {"seed": config.seed, "n_resamples": n_resamples, "device": device}
    how["batch_size"] = config.batch_size
    if parent is None:
        new, found = adapted_bundle.adapt(networks[0], controls[0], config.adapt.method, **how)
        bundle.write_bundle(place, new, adapted_bundle.config_of(networks[0]))
    else:
        parent = replace(parent, members=tuple(networks))
        joined, found = adapted_bundle.adapt_stack(parent, controls, config.adapt.method, **how)
        stack.write_stack(place, joined, list(map(adapted_bundle.config_of, networks)))
    after = before.with_networks(*load.read_models([("bundle", place)]))
    known = rest[np.isfinite(rest["age"])]
    errors = (_predict(one, known, device, config.batch_size) for one in (before, after))
    others = measure_others(known["age"].to_numpy(float), *errors, n_resamples=n_resamples, seed=config.seed)
    section = adaptation_section(found, others)
    saved = {"bundle": str(place), "parent": config.bundle, **asdict(found), "n_others": len(rest)}
    saved["others"] = None if others is None else asdict(others)
    write_text(folder / "adaptation.json", json.dumps(saved, indent=2) + "\n")
    show_table(f"Controls, N = {found.n}, cross-validation (years)", HEADER, method_rows(found))
    if found.n < _FEW:
        show_note(f"There are {found.n} controls; 20 to 100 are better.")
    if len(rest):
        predict_with(_of_predict(config, place), folder, after.of(rest), device, section)
    else:
        write_report(folder, _page_without_others(section))
    print(f"Bundle: {place}")


def _predict(ensemble: Ensemble, table: pd.DataFrame, device: str, batch_size: int) -> NDArray[np.float64]:
    if not len(table):
        return np.empty(0)
    predict = partial(_of_network, ensemble, table, device=device, batch_size=batch_size)
    return ensemble.joined(np.stack(list(map(predict, ensemble.networks)), axis=1))[0]


def _of_network(
    ensemble: Ensemble, table: pd.DataFrame, network: Trained, *, device: str, batch_size: int
) -> NDArray[np.float64]:
    return network.predict(ensemble.participants_for(network, table), device=device, batch_size=batch_size)


def _of_predict(config: AdaptCommandConfig, bundle: Path) -> PredictCommandConfig:
    """Return the config by which ``predict`` predicts the other participants."""
    return PredictCommandConfig(
        bundle=str(bundle),
        cohort=config.cohort,
        gap_correction=config.gap_correction,
        associations=config.associations,
        device=config.device,
        batch_size=config.batch_size,
        store=config.store,
        report=config.report,
        outputs=config.outputs,
        seed=config.seed,
    )


def _page_without_others(section: Section) -> Page:
    lead = ["All participants are controls: there are no others to predict."]
    made = Section("What was run", tables=[Table((), made_with(), text=True)])
    return Page("Adapted network", lead, [section, made])


def _chosen(config: AdaptCommandConfig, table: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which participants are the controls; raise a `CohortError` if these are fewer than ten."""
    asked = config.adapt.participants
    aged = table["age"].notna()
    chosen = _listed(Path(asked), table, aged) if isinstance(asked, str) else _drawn(asked, table[aged], config.seed)
    is_control = table["participant_id"].isin(chosen).to_numpy()
    if (n := int(is_control.sum())) < MIN_SHOWN:
        raise CohortError(
            f"`adapt.participants={asked}` must be {MIN_SHOWN} participants of known age with series, or more, but got "
            f"{n} of {int(aged.sum())}. Use 20 to 100 controls."
        )
    log.info("adapt.participants: %d controls, %d others", n, len(table) - n)
    return is_control


def _listed(path: Path, table: pd.DataFrame, aged: pd.Series[bool]) -> pd.Series[str]:
    """Return the participants of a list who have series and an age."""
    ids = read_ids(path)
    found = table.loc[table["participant_id"].isin(ids) & aged, "participant_id"]
    if n_missing := len(ids) - len(found):
        log.warning("%d of the %d ids in `%s` have no series, or no age: they are left out.", n_missing, len(ids), path)
    return found


def _drawn(fraction: float, table: pd.DataFrame, seed: int) -> pd.Series[str]:
    """Draw a fraction of the participants, families together."""
    keys = group_keys(table)
    families = keys.drop_duplicates().sort_values().to_numpy()
    order = np.random.default_rng(seed).permutation(families)
    together = keys.value_counts()[order].cumsum()
    within = together.index[together <= math.floor(fraction * len(table))]
    return table.loc[keys.isin(within), "participant_id"]
