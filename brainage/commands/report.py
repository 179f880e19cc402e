"""``report.py``: findings of a finished run, of pooled folds, or of a table of predictions made elsewhere."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from brainage.config.commands.report import ReportCommandConfig
from brainage.config.hydra import parse_as
from brainage.system.session import carry_out


def report(composed: DictConfig) -> None:
    """Write and print findings; `composed` is ``configs/report.yaml`` with the overrides."""

    def work(folder: Path) -> None:
        config = parse_as(composed, ReportCommandConfig)
        from brainage.runs.reanalyse import report_on  # imports torch

        report_on(config, folder)
        print(f"Report: {folder / 'report.html'}")

    carry_out(work)
