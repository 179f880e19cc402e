"""``check``: look at a cohort's table and files, and propose a modality and an experiment; nothing is trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig

from brainage.config.commands.check import CheckCommandConfig
from brainage.config.commands.shared import DEFAULT_STORE
from brainage.config.groups.cohort import AbideCohortConfig, BidsCohortConfig, CohortConfig, UkbCohortConfig
from brainage.config.groups.modality import ModalityConfig
from brainage.config.hydra import parse_as
from brainage.config.proposed import EXPERIMENT, Proposed, check_unwritten, write_proposed
from brainage.data.cohorts.select import withdrawn_from
from brainage.data.survey.cohort import survey_of
from brainage.data.survey.plan import Plan, plan_of
from brainage.errors import CohortError, ImpossibleArchitectureError
from brainage.models import geometry
from brainage.reporting.survey_tables import SurveyTable, plan_table, survey_tables
from brainage.system.console import show_note, show_table
from brainage.system.files import CONFIGS, write_text
from brainage.system.invocation import command_text
from brainage.system.session import carry_out

# Participants of whom the validation and the test set get one each.
_MIN_TRAINED = 10
# Dimensions of UK Biobank's parcels.
_SCHAEFER = range(100, 1001, 100)
# The network that is proposed: the default.
_MODEL = "pooled1dcnn"


def check(composed: DictConfig) -> None:
    """Check a cohort, from a config composed of ``configs/check.yaml``."""
    carry_out(lambda folder: _check(parse_as(composed, CheckCommandConfig), folder))


def _check(config: CheckCommandConfig, folder: Path) -> None:
    if config.write is not None:
        check_unwritten(Path(config.write))
    modalities = _modalities(config)
    withdrawn = withdrawn_from(config.cohort, [config.store.root or DEFAULT_STORE])
    given = config.modality is not None
    survey = survey_of(config.cohort, modalities, withdrawn, is_given=given, orientation=config.orientation)
    tables = survey_tables(survey)
    for table in tables:
        _print(table)
    for problem in survey.problems:
        show_note(problem)
    plan = plan_of(survey, _known("modality"))
    if plan.n_kept < _MIN_TRAINED:
        raise CohortError(
            f"`cohort`: {_MIN_TRAINED} participants with an age and a usable file are needed to train, validate and "
            f"test, but there are {plan.n_kept}. The tables above say why."
        )
    proposed = _proposed(config.cohort, plan)
    _show(plan, proposed, config.write)
    record = {"tables": [asdict(table) for table in tables], "notes": list(survey.problems), "proposed": asdict(plan)}
    write_text(folder / "check.json", json.dumps(record, indent=2) + "\n")


def _show(plan: Plan, proposed: Proposed, folder: str | None) -> None:
    _print(plan_table(plan))
    if folder is None:
        command = command_text("train", *proposed.words())
        print(f"Train with: {command}\n\nwrite=FOLDER writes this as a modality and an experiment.")
        return
    write_proposed(Path(folder), proposed)
    for name in proposed.files():
        print(f"Written: {Path(folder) / name}")
    print(f"\nTrain with: {command_text('train', '--config-dir', folder, f'experiment={EXPERIMENT}')}")


def _print(table: SurveyTable) -> None:
    show_table(table.title, table.header, table.rows)
    print()


def _known(group: str) -> dict[str, dict[str, Any]]:
    """Return this project's choices of a group, as plain values by name."""
    known = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((CONFIGS / group).glob("*.yaml"))}
    return {name: {key: one for key, one in values.items() if key != "defaults"} for name, values in known.items()}


def _modalities(config: CheckCommandConfig) -> Sequence[ModalityConfig]:
    """Return the modalities whose files are looked for."""
    if isinstance(config.modality, ModalityConfig):
        return [config.modality]
    cohort = config.cohort
    if isinstance(cohort, AbideCohortConfig):
        return [_modality("cc200")]
    if isinstance(cohort, BidsCohortConfig) and "{dimension}" not in cohort.pattern:
        return [_modality("ica25")]
    icas = [_modality("ica25"), _modality("ica100")]
    if not isinstance(cohort, UkbCohortConfig):
        return icas
    return [*icas, *(_modality("ukb_schaefer", dimension=n) for n in _SCHAEFER), _modality("ukb_tian")]


def _modality(name: str, **changes: Any) -> ModalityConfig:
    plain = {**_known("modality")[name], **changes}
    good = plain["good_components"]
    return ModalityConfig(**{**plain, "n_channels": plain["dimension"] if good is None else len(good)})


def _proposed(cohort: CohortConfig, plan: Plan) -> Proposed:
    _check_length(plan)
    shape = f"{plan.n_channels} channels of at least {plan.n_times} time points"
    comment = f"{plan.n_kept:,} participants with {shape}; proposed by brainage check."
    values = {"cohort": plan.cohort, "modality": {} if plan.is_new else plan.values}
    return Proposed(plan.modality, cohort.name, _MODEL, plan.values if plan.is_new else None, values, comment)


def _check_length(plan: Plan) -> None:
    """Raise CohortError if the series are too short for the network."""
    sizes = {"in_channels": plan.n_channels, "n_times": plan.n_times}
    try:
        geometry.check_arguments({**_known("model")[_MODEL], "name": "variable1dcnn", **sizes})
    except ImpossibleArchitectureError as error:
        message = f"`modality.n_times`: {plan.n_times} time points are too few for a network. Use longer series."
        raise CohortError(message) from error
