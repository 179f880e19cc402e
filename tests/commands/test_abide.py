"""``cohort=abide`` from a server on this machine to a report, and what a saved config may not do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from brainage.commands.report import report
from tests.conftest import run_here, train_here
from tests.serving import served

RATERS = ("qc_rater_1", "qc_anat_rater_2", "qc_func_rater_2", "qc_anat_rater_3", "qc_func_rater_3")
N, N_REGIONS = 30, 3


def serve_abide(folder: Path) -> None:
    """Write 30 people of two sites, as the server has them; every tenth has fewer than 20 time points."""
    rows = [f",SUB_ID,SITE_ID,FILE_ID,AGE_AT_SCAN,SEX,func_mean_fd,FIQ,{','.join(RATERS)}"]
    place = folder / "Outputs" / "cpac" / "nofilt_noglobal" / "rois_cc200"
    place.mkdir(parents=True)
    for i in range(N):
        site, name = ("NYU", "PITT")[i % 2], f"Site_00{90001 + i}"
        rows.append(f"{i},{90001 + i},{site},{name},{10 + i},{1 + i % 2},0.{i:02d},{90 + i},OK,OK,OK,OK,OK")
        series = np.random.default_rng(i).normal(size=(19 if i % 10 == 0 else 25, N_REGIONS))
        np.savetxt(place / f"{name}_rois_cc200.1D", series, delimiter="\t", header="1\t#2\t#3", comments="#")
    (folder / "Phenotypic_V1_0b_preprocessed1.csv").write_text("\n".join(rows) + "\n")


@pytest.mark.more
def test_files_are_fetched_once_and_a_site_is_left_out(tmp_path: Path) -> None:
    serve_abide(tmp_path / "served")
    modality = (
        "modality=cc200",
        f"modality.dimension={N_REGIONS}",
        "modality.n_times=20",
        "model=mean_age",
        "report.n_resamples=100",
    )
    with served(tmp_path / "served") as url:
        cohort = ("cohort=abide", f"cohort.root={tmp_path / 'data'}", "cohort.download=true", f"cohort.url={url}")
        run = train_here(tmp_path / "run", *cohort, *modality, "split=leave_site_out", "split.site=NYU")
    summary = json.loads((run / "summary.json").read_text())
    assert summary["n"]["test"] == N // 2 - 3 and summary["cohort"]["n_excluded"] == 3
    assert set(summary["t_r"]["test"]) == {"2"} and set(summary["t_r"]["train"]) == {"1.5"}
    assert "train 1.5 s" in (run / "report.html").read_text()
    assert len(list((tmp_path / "data").rglob("*.1D"))) == N
    next((tmp_path / "data").rglob("*.1D")).unlink()
    # The saved config has the server, which does not answer any more, and is not asked.
    assert run_here(report, "report", tmp_path / "again", f"run={run}", "report.n_resamples=100") == 0
    assert len(list((tmp_path / "data").rglob("*.1D"))) == N - 1
