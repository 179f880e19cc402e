"""The whole study, stage by stage: ``python -m brainage.study``, or ``make study``."""
