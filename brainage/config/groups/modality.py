"""Schema of modalities: which channels of which series, and how many time points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from omegaconf import MISSING

from brainage.config.rules import Bounds, PathText, checked, choice, require
from brainage.errors import ConfigError, nearest
from brainage.system.console import printable

# Atlases that nilearn fetches, and the argument that is the number of channels.
FETCHERS = {
    "schaefer_2018": "n_rois",
    "difumo": "dimension",
    "basc_multiscale_2015": "resolution",
    "smith_2009": "dimension",
    "aal": None,
    "destrieux_2009": None,
    "msdl": None,
}


def check_atlas_name(given: str | None, key: str) -> None:
    """Raise a ConfigError unless an atlas is a NIfTI file's name, or one that nilearn fetches."""
    if given is not None and given not in FETCHERS and not given.endswith((".nii", ".nii.gz")):
        raise ConfigError(
            f"`{key}` must be a NIfTI file (.nii or .nii.gz), or an atlas that nilearn fetches, but got "
            f"{printable(repr(given))}. {nearest(given, FETCHERS)}"
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
        Which of them the network gets; ``all`` without `good_components`.
    good_components : list of int or None
        Numbers (from 1) of the components that are not artefacts, rising; None for parcels.
    channels : list of str or int, "all", or None
        Names or numbers (from 1) of the channels that the network gets, in its order, or a file with one a line; it
        replaces `components`.
    n_channels : int
        How many channels the network gets; derived.
    n_times : int
        Time points that a network sees at once; participants with fewer are excluded.
    windows : {"first", "all"} or None
        Whether the first `n_times` time points are used, z-scored over them, or all, z-scored over all: training draws
        a random window each epoch, and predictions are means over windows that cover the series. By default "first"
        for an ICA, which has `good_components`, and "all" for parcels.
    t_r : float or None
        Repetition time, in seconds, which is that of all series to within 1 %; None accepts several.
    resample : bool
        Whether series of another repetition time are resampled to `t_r`, which is then needed.
    scale : {"zscore", "percent", "none"}
        What a network sees of a channel: its z-scores, its change in percent of its mean over time, or the numbers of
        the files.
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
    atlas : str or None
        Where the channels are in the brain, for the picture of an explanation: a NIfTI file with one label (in rising
        order) or one map a channel, or an atlas that nilearn fetches: ``schaefer_2018``, ``difumo``,
        ``basc_multiscale_2015``, ``smith_2009``, ``aal``, ``destrieux_2009`` or ``msdl``. It changes no result.
    """

    name: str = MISSING
    dimension: Annotated[int, Bounds(ge=1, le=100_000)] = MISSING
    components: Annotated[str, choice("good", "all")] = "good"
    good_components: list[int] | None = MISSING
    channels: Any = None  # OmegaConf has no unions of text and lists
    n_channels: int = MISSING
    n_times: Annotated[int, Bounds(ge=2, le=1_000_000)] = 490
    windows: Annotated[str | None, choice("first", "all")] = None
    t_r: Annotated[float | None, Bounds(gt=0, allow_inf_nan=False)] = 0.735
    resample: bool = False
    scale: Annotated[str, choice("zscore", "percent", "none")] = "zscore"
    missing: Annotated[str, choice("exclude", "zero")] = "exclude"
    max_missing_fraction: Annotated[float, Bounds(ge=0, lt=1)] = 0.1
    max_interpolated_fraction: Annotated[float, Bounds(ge=0, lt=1)] = 0.0
    orientation: Annotated[str, choice("rows_are_times", "rows_are_channels")] = "rows_are_times"
    ukb_field: Annotated[int | None, Bounds(ge=1)] = None
    ukb_member: str | None = None
    atlas: PathText | None = None

    def __post_init__(self) -> None:
        """Check the components, and that there is a repetition time to resample to."""
        check_atlas_name(self.atlas, "modality.atlas")
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
        if self.channels is not None and self.channels != "all":
            self._check_channels()
        expected = self.dimension if self.channels == "all" else len(self.channels or self.channel_indices())
        rule = f"{expected}, the number of {self.chosen}"
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
    def chosen(self) -> str:
        """What chooses the channels, in words."""
        if self.channels is None:
            return f"{self.components} components"
        return "all channels" if self.channels == "all" else "chosen channels"

    def channel_indices(self, names: Sequence[str] | None = None) -> list[int]:
        """Return the indices (from 0) of the channels that the network gets, in its order.

        Parameters
        ----------
        names : sequence of str or None
            The names of all channels, in the order of the files; None if they have none.

        Raises
        ------
        ConfigError
            A chosen name is none of these.
        """
        if self.channels is None and self.components == "good" and self.good_components is not None:
            return [number - 1 for number in self.good_components]
        if self.channels is None or self.channels == "all":
            return list(range(self.dimension))
        place = {name: index for index, name in enumerate(names or ())}
        self._check_names(place, names)
        found = [chosen - 1 if isinstance(chosen, int) else place[chosen] for chosen in self.channels]
        rule = "different channels, but some are chosen by name and by number"
        require(len(set(found)) == len(found), "modality.channels", rule, self.channels, "Leave out one of each two.")
        return found

    def _check_channels(self) -> None:
        chosen = self.channels if isinstance(self.channels, list) else []
        kinds = all(isinstance(one, str | int) and not isinstance(one, bool) and one != "" for one in chosen)
        rule = "a list of names and numbers, `all`, or a file with one a line"
        hint = "Use modality.channels=[1,2,LH_Vis_1]; a name that is a number is put in quotes."
        require(kinds and bool(chosen), "modality.channels", rule, self.channels, hint)
        wrong = [one for one in chosen if isinstance(one, int) and not 1 <= one <= self.dimension]
        require(not wrong, "modality.channels", f"names, and numbers from 1 to {self.dimension}", wrong[:5], hint)
        twice = [one for one, count in Counter(chosen).items() if count > 1]
        require(not twice, "modality.channels", "different channels", twice[:5], "Leave out all but one of each.")

    def _check_names(self, known: Collection[str], names: Sequence[str] | None) -> None:
        """Raise a ConfigError if a chosen name is no channel of the files."""
        chosen = [one for one in self.channels if isinstance(one, str)]
        if repeated := [name for name in chosen if names is not None and names.count(name) > 1]:
            raise ConfigError(
                f"`modality.channels` must name single channels, but several channels of the participants' files are "
                f"called `{printable(repeated[0])}`. Use numbers, from 1 to {self.dimension}."
            )
        if not (unknown := [name for name in chosen if name not in known]):
            return
        first = f"{len(unknown)} of {len(chosen)} names are not, the first `{printable(unknown[0])}`"
        if names is None:
            raise ConfigError(
                f"`modality.channels` must name channels of the participants' files, but {first}: their channels have "
                f"no names. Use numbers, from 1 to {self.dimension}."
            )
        raise ConfigError(
            f"`modality.channels` must name channels of the participants' files, but {first}. "
            f"{printable(nearest(unknown[0], known))}"
        )
