"""Brain age from resting-state fMRI component time series with lightweight 1D-CNNs."""

__version__ = "0.1.0"
