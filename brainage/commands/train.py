"""``train``: one training, a job of a grid, or a trial of a sweep."""

from brainage.runs.train import train

__all__ = ["train"]
