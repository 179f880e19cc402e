"""Schemas of ``report``, ``compare``, ``predict``, ``adapt``, ``explain`` and ``check``."""

from __future__ import annotations

from typing import Any

from brainage.config.commands.adapt import AdaptCommandConfig
from brainage.config.commands.check import CheckCommandConfig
from brainage.config.commands.compare import CompareCommandConfig
from brainage.config.commands.explain import ExplainCommandConfig
from brainage.config.commands.predict import PredictCommandConfig
from brainage.config.commands.report import ReportCommandConfig

# Name of the command, and its schema.
COMMAND_SCHEMAS: dict[str, Any] = {
    "report": ReportCommandConfig,
    "compare": CompareCommandConfig,
    "predict": PredictCommandConfig,
    "adapt": AdaptCommandConfig,
    "explain": ExplainCommandConfig,
    "check": CheckCommandConfig,
}
