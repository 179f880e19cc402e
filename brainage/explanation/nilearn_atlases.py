"""Atlases that nilearn fetches, once, into its own folder."""

from __future__ import annotations

from pathlib import Path

import nibabel
from nilearn import datasets

from brainage.config.groups.modality import FETCHERS
from brainage.data.atlas import Atlas, checked_atlas, read_atlas
from brainage.errors import ConfigError
from brainage.system.console import log
from brainage.system.reading import reason_of


def fetched_atlas(name: str, n_channels: int, key: str) -> Atlas:
    """Return the atlas of a fetcher; raise a `ConfigError` if it cannot be fetched, or has other regions."""
    argument = FETCHERS[name]
    log.info("Atlas %s of nilearn, downloaded unless it is in its folder of data", name)
    try:
        given = {argument: n_channels} if argument else {}
        maps = getattr(datasets, f"fetch_atlas_{name}")(**given, verbose=0).maps
    except Exception as error:  # nilearn raises what its downloads raise
        raise ConfigError(
            f"`{key}={name}` must be fetched by nilearn for {n_channels} channels, but that failed: "
            f"{reason_of(error)}. Name a NIfTI file."
        ) from error
    if isinstance(maps, nibabel.Nifti1Image):
        return checked_atlas(maps, n_channels, f"`{key}={name}`")
    return read_atlas(Path(maps), n_channels, key)
