"""Schema of modalities: which channels of which series, and how many time points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from omegaconf import MISSING
from pydantic import Field

from brainage.config.rules import (
    checked,
    choice,
    require,
)


@checked("modality")
@dataclass
class ModalityConfig:
    """Time series of the components of an ICA, or of the parcels of an atlas.

    Parameters
    ----------
    name : str
        The config's own name.
    dimension : int
        Components, or parcels, in a participant's file.
    components : {"good", "all"}
        Which of them the network gets.
    good_components : list of int or None
        Numbers (from 1) of the components that are not artefacts; None for parcels.
    n_channels : int
        How many components the network gets; derived.
    n_times : int
        Time points that a network sees at once; participants with fewer are excluded.
    windows : {"first", "all"} or None
        Whether the first `n_times` time points are used, z-scored over them, or all, z-scored over all: training draws
        a random window each epoch, and predictions are means over windows that cover the series. By default "first"
        for an ICA, which has `good_components`, and "all" for parcels.
    t_r : float or None
        Repetition time, in seconds, which is that of all series to within 1 %; None accepts several.
    resample : bool
        Whether series of another repetition time are resampled to `t_r`.
    missing : {"exclude", "zero"}
        What happens to a participant with missing channels, which are constant or have values that are not numbers.
    max_missing_fraction : float
        With ``missing=zero``, participants with more missing channels, as a share of all, are excluded.
    max_interpolated_fraction : float
        Share of a channel's time points that may be ``n/a`` and are interpolated linearly; the channel is missing if
        there are more.
    orientation : {"rows_are_times", "rows_are_channels"}
        What a row of a file is.
    ukb_field : int or None
        UK Biobank's bulk field of the files; by default 20227.
    ukb_member : str or None
        Path of a series in UK Biobank's zips and folders, unless `cohort.member` is changed; None for that of an ICA.
        ``{dimension}`` is replaced.
    """

    name: str = MISSING
    dimension: Annotated[int, Field(ge=1, le=100_000)] = MISSING
    components: Annotated[str, choice("good", "all")] = "good"
    good_components: list[int] | None = MISSING
    n_channels: int = MISSING
    n_times: Annotated[int, Field(ge=2, le=1_000_000)] = 490
    windows: Annotated[str | None, choice("first", "all")] = None
    t_r: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = 0.735
    resample: bool = False
    missing: Annotated[str, choice("exclude", "zero")] = "exclude"
    max_missing_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    max_interpolated_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    orientation: Annotated[str, choice("rows_are_times", "rows_are_channels")] = "rows_are_times"
    ukb_field: Annotated[int | None, Field(ge=1)] = None
    ukb_member: str | None = None

    def __post_init__(self) -> None:
        """Check the components, and that there is a repetition time to resample to."""
        rule = "false without `modality.t_r`, the repetition time to resample to"
        require(self.t_r is not None or not self.resample, "modality.resample", rule, self.resample)
        good = self.good_components
        if good is None:
            rule, hint = "all, because the modality has no list of good ones", "Use modality.components=all."
            require(self.components == "all", "modality.components", rule, self.components, hint)
        else:
            require(
                len(good) > 0 and good == sorted(set(good)) and good[0] >= 1 and good[-1] <= self.dimension,
                "modality.good_components",
                f"rising component numbers from 1 to {self.dimension}",
                good,
            )
        expected = len(self.channel_indices)
        rule = f"{expected}, the number of {self.components} components"
        require(
            self.n_channels == expected,
            "modality.n_channels",
            rule,
            self.n_channels,
            "It is derived; leave it out.",
        )

    @property
    def whole_series(self) -> bool:
        """Whether all time points are used."""
        return (self.windows or ("all" if self.good_components is None else "first")) == "all"

    @property
    def channel_indices(self) -> list[int]:
        """Indices (from 0) of the components that the network gets, in order."""
        if self.components == "good" and self.good_components is not None:
            return [c - 1 for c in self.good_components]
        return list(range(self.dimension))
