"""``explain.py``: explain a trained network's predictions."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from brainage.config.commands.explain import ExplainCommandConfig
from brainage.config.hydra import parse_as
from brainage.system.session import carry_out


def explain(composed: DictConfig) -> None:
    """Explain predictions, from a config composed of ``configs/explain.yaml``."""
    carry_out(lambda folder: _explain(parse_as(composed, ExplainCommandConfig), folder))


def _explain(config: ExplainCommandConfig, folder: Path) -> None:
    # Imports torch and captum, after the config has been checked.
    from brainage.commands.explaining import explain_predictions

    explain_predictions(config, folder)
