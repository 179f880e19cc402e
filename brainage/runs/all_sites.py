"""``split.site=all`` of a multirun: one job for each site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from brainage.config.groups.cohort import CohortConfig, own_cohort
from brainage.config.groups.modality import ModalityConfig
from brainage.config.hydra import resolved, to_object
from brainage.config.overrides import quoted
from brainage.errors import ConfigError, SplitError
from brainage.system.console import log


def all_sites(config: DictConfig, words: Sequence[str]) -> str:
    """Return the override that names all sites in place of ``split.site=all``, in the order of their names.

    Parameters
    ----------
    config : DictConfig
        A multirun's config, composed without what its jobs do not share.
    words : sequence of str
        The overrides of the multirun.

    Raises
    ------
    ConfigError
        The multirun varies the cohort, whose sites may differ.
    SplitError
        There are fewer than two sites.
    """
    for override in OverridesParser.create().parse_overrides([*words]):
        if override.is_sweep_override() and str(override.key_or_group).partition(".")[0] in ("cohort", "modality"):
            raise ConfigError(
                f"`split.site=all` needs the same participants in all jobs, but `{override.key_or_group}` has several "
                "values. Start a multirun for each value, or name the sites with split.site=A,B."
            )
    with resolved():
        cohort, modality, store = (to_object(part) for part in (config.cohort, config.modality, config.store))
    sites = _sites_of(own_cohort(cohort), modality, store.root)
    log.info("split.site=all: %d sites", len(sites))
    return f"split.site={','.join(map(quoted, sites))}"


def _sites_of(cohort: Any, modality: ModalityConfig, store_root: str) -> list[str]:
    """Return the sites of the participants who have a scan."""
    assert isinstance(cohort, CohortConfig)
    # Imports pandas, which other grids do not wait for.
    from brainage.data.cohorts.select import select_from

    selection = select_from(cohort, modality, stores=[store_root])
    table = selection.table[selection.table["participant_id"].isin(list(selection.scans))]
    sites = sorted(table["site"].dropna().unique()) if "site" in table else []
    if len(sites) < 2:
        raise SplitError(
            f"`split.site=all` needs two sites or more, but the participants who have a scan are of {len(sites)}. Add "
            "a column `site` (UK Biobank: field 54), name it with cohort.columns.site=NAME, or choose another split."
        )
    return sites
