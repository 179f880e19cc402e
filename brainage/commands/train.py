"""``train``: one training, a job of a grid, or a trial of a sweep."""

from brainage.runs.job import run_job as train

__all__ = ["train"]
