"""The query of the cohort of a grid, a sweep or a study, checked before configs are written."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brainage.config.groups.cohort import own_cohort
from brainage.config.groups.modality import ModalityConfig
from brainage.config.hydra import to_object
from brainage.errors import BrainageError, NamedParticipantError


def refuse_query_of(config: DictConfig, others: Sequence[str] = ()) -> None:
    """Check the query of a composed config, and others in its place; see `refuse_query`."""
    with suppress(OmegaConfBaseException):
        for query in [OmegaConf.select(config, "cohort.include"), *others]:
            if query is not None:
                cohort = own_cohort(to_object(config.cohort))
                refuse_query(replace(cohort, include=query), to_object(config.modality))


def refuse_query(cohort: Any, modality: ModalityConfig) -> None:
    """Raise a `NamedParticipantError` if a query names a participant; the trainings report other mistakes."""
    if cohort.include is None:
        return
    # Imports pandas, which commands without a query do not wait for.
    from brainage.data.cohorts.select import check_query

    try:
        check_query(cohort, modality)
    except NamedParticipantError:
        raise
    except BrainageError:
        pass
