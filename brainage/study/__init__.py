"""The published study, stage by stage: ``brainage study``, or ``make study``."""
