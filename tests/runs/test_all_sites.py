"""``split.site=all``: a job for each site."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, flag_override

from brainage.data.cohorts.select import Selection
from brainage.runs.all_sites import all_sites
from brainage.runs.folds import group_folds
from brainage.runs.multirun import JobFolders
from tests.conftest import ROOT


def test_the_sites_of_participants_with_a_scan_are_named_as_hydra_reads_them(
    composed: Callable[..., DictConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.DataFrame(
        {"participant_id": [*"abcdef"], "site": ["11025", "St. Mary's, A", None, "Hull", "York", "Hull"]}
    )
    scans = {one: [Path(one)] for one in "abcdf"}
    monkeypatch.setattr("brainage.data.cohorts.select.select_from", lambda *a, **b: Selection(table, scans))
    words = ["split=leave_site_out", "split.site=all", "model.depth=1,2"]
    assert all_sites(composed(*words[:2]), words) == "split.site='11025',Hull,'St. Mary\\'s, A'"


@pytest.mark.parametrize("of_experiment", [False, True], ids=["command line", "parameters of an experiment"])
def test_a_multirun_has_a_job_for_each_site(of_experiment: bool, tmp_path: Path) -> None:
    words = ["cohort.n_participants=40", "split=leave_site_out", f"hydra.sweep.dir={tmp_path / 'sites'}"]
    words += [] if of_experiment else ["split.site=all"]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        config = compose("train", words, return_hydra_config=True)
        if of_experiment:
            with flag_override(config, ["readonly", "struct"], False):
                config.hydra.sweeper.params = {"split.site": "all", "model.depth": "1,2"}
        jobs = JobFolders()
        jobs.on_multirun_start(config)
    named = "split.site=Bristol,Cheadle,Newcastle,Reading"
    assert [*config.hydra.overrides.task] == ["cohort.n_participants=40", "split=leave_site_out", named]
    assert (config.hydra.sweeper.params or {}) == ({"model.depth": "1,2"} if of_experiment else {})


def test_sites_of_quoted_overrides_have_their_own_name_in_tables() -> None:
    words = ["split.site='11025'", "split.site=Hull", r"split.site='St. Mary\'s, A'"]
    (folds,) = group_folds([{"overrides": ["split=leave_site_out", word], "status": "finished"} for word in words])
    assert [*folds.jobs] == ["11025", "Hull", "St. Mary's, A"]
