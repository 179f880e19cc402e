"""``modality.channels``: names and numbers, a file of them, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig

from brainage.config.channels import read_channels, refuse_both, with_listed_channels
from brainage.config.groups.modality import ModalityConfig
from brainage.config.hydra import parse
from brainage.errors import ConfigError, MissingPathError

Compose = Callable[..., DictConfig]
PARCELS = ("modality=parcels", "modality.dimension=4", "modality.n_times=60", "modality.t_r=0.8")
NAMES = ("LH_Vis_1", "LH_Vis_2", "7", "RH_Vis_1")


def modality(channels: object) -> ModalityConfig:
    n_channels = len(channels) if isinstance(channels, list) else 4
    return ModalityConfig(
        name="parcels", dimension=4, components="all", good_components=None, channels=channels, n_channels=n_channels
    )


@pytest.mark.parametrize(
    ("channels", "indices"),
    [
        (None, [0, 1, 2, 3]),
        ("all", [0, 1, 2, 3]),
        ([4, 2], [3, 1]),
        (["RH_Vis_1", 1, "7"], [3, 0, 2]),
    ],
)
def test_channels_are_chosen_by_name_or_number_in_the_given_order(channels: object, indices: list[int]) -> None:
    assert modality(channels).channel_indices(NAMES) == indices


@pytest.mark.parametrize(
    ("channels", "names", "message"),
    [
        (["LH_Vs_1", "x"], NAMES, "2 of 2 names are not, the first `LH_Vs_1`.*Did you mean `LH_Vis_1`"),
        (["LH_Vis_1"], ("LH_Vis_1", "LH_Vis_1", "a", "b"), "single channels, but several.*called `LH_Vis_1`"),
        (["LH_Vis_1", 2], None, "1 of 1 names are not.*no names. Use numbers, from 1 to 4"),
        (["LH_Vis_1", 1], NAMES, "different channels, but some are chosen by name and by number"),
        ([0, 5], NAMES, r"numbers from 1 to 4, but got \[0, 5\]. .*a name that is a number is put in quotes"),
        ([2, 2], NAMES, r"different channels, but got \[2\]"),
        ([], NAMES, "a list of names and numbers, `all`, or a file"),
        ([1.5], NAMES, "a list of names and numbers, `all`, or a file"),
        ("a_file_in_a_saved_config.txt", NAMES, "a list of names and numbers, `all`, or a file"),
    ],
)
def test_channels_that_cannot_be_chosen_are_refused(channels: object, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=f"`modality.channels`.*{message}"):
        modality(channels).channel_indices(names)


def test_channels_decide_the_networks_input_in_place_of_components(composed: Compose, tmp_path: Path) -> None:
    for words, n_channels in (
        ((*PARCELS, "modality.channels=[LH_Vis_1,3]"), 2),
        ((*PARCELS, "modality.channels=all"), 4),
        (("modality.channels=all",), 25),
        (("modality=ica100", "modality.channels=[3,1,2]"), 3),
    ):
        parsed = parse(composed(*words))
        assert parsed.modality.n_channels == parsed.model.in_channels == n_channels


def test_a_file_becomes_the_list_of_its_lines(composed: Compose, tmp_path: Path) -> None:
    path = tmp_path / "channels.txt"
    path.write_bytes(b'\xef\xbb\xbfLH_Vis_1\r\n\r\n 3 \r\n"7"\r\n')
    config = composed(*PARCELS, f"modality.channels={path}")
    with_listed_channels(config)
    assert list(config.modality.channels) == ["LH_Vis_1", 3, "7"]
    path.unlink()
    assert parse(config).model.in_channels == 3


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingPathError, match="`modality.channels=.*none.txt` must be a list .*No such file"):
        read_channels(tmp_path / "none.txt")
    (tmp_path / "latin.txt").write_bytes("Präfrontal\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="must be text in UTF-8"):
        read_channels(tmp_path / "latin.txt")


def test_components_and_channels_on_one_command_line_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"`modality.channels=\[1\]` and `modality.components=all` must not both"):
        refuse_both(["modality.components=all", "modality.channels=[1]"])
    refuse_both(["modality.components=all", "modality.channels=null", "model.depth=1"])
