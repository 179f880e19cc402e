"""``compare.py``: finished runs compared on the test participants that they share."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from brainage.config.commands.compare import CompareCommandConfig
from brainage.config.hydra import parse_as
from brainage.system.session import carry_out


def compare(composed: DictConfig) -> None:
    """Write and print a comparison; `composed` is ``configs/compare.yaml`` with the overrides."""

    def work(folder: Path) -> None:
        config = parse_as(composed, CompareCommandConfig)
        from brainage.runs.compare import compare_saved  # imports torch

        compare_saved(config, folder)
        print(f"Report: {folder / 'report.html'}")

    carry_out(work)
