"""
Predict everyone once: folds and pooled predictions
===================================================

A tenth of a small study is too few people for a test. With folds, each participant is
predicted by a model that was not trained on them, and the analysis of the gap has the
whole sample.
"""

# %%
# A model for each fold
# ---------------------
#
# In a terminal, this is
#
# .. code-block:: bash
#
#    brainage train --multirun split=kfold split.fold=0,1,2 split.n_folds=3 ...
#
# Here, ``model=ridge_connectivity`` is added: a ridge regression on functional
# connectivity is trained in seconds.

import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

import brainage as ba

folder = Path(tempfile.mkdtemp()) / "folds"
words = "train --multirun split=kfold split.fold=0,1,2 split.n_folds=3"
words += " model=ridge_connectivity cohort.n_participants=150"
words += f" associations.variables=[processing_speed] hydra.sweep.dir={folder}"
command = [sys.executable, "-m", "brainage", *words.split()]
subprocess.run(command, check=True, capture_output=True)

folds = pd.read_csv(folder / "folds.csv").set_index("fold")
folds[["n_test", "test/mae", "test/r2", "test/pearson_r"]].round(2)

# %%
# The folds differ although the data are the same: that is chance, and no reason to
# choose one of the models. The mean ± SD describes the folds. The SD is no standard
# error, because the folds share training participants.

# %%
# Pooled predictions
# ------------------
#
# ``pooled_predictions.csv`` has each participant once, predicted by the model of their
# fold.

pooled = ba.read_predictions(folder / "pooled_predictions.csv")
found = ba.analyze(pooled, rows="all", gap_correction="crossfit")
mae = found.accuracy.estimates["mae"]

fig, axes = plt.subplots(1, 2, figsize=(9, 4.4), layout="constrained")
axes[0].plot(folds.loc["0":"2", "test/mae"], "o", label="each fold")
sides = [[mae.value - mae.low], [mae.high - mae.value]]
axes[0].errorbar("pooled", mae.value, yerr=sides, fmt="o", label="95 % interval")
axes[0].set(xlabel="fold", ylabel="MAE (years)", ylim=(0, None))
axes[0].legend(frameon=False, loc="lower right")
ends = [pooled["age"].min(), pooled["age"].max()]
axes[1].plot(ends, ends, color="black", linewidth=1, label="predicted = true")
label = f"{len(pooled)} participants"
axes[1].scatter(pooled["age"], pooled["predicted_age"], s=14, label=label)
axes[1].set(xlabel="age (years)", ylabel="predicted age (years)")
axes[1].legend(frameon=False)
plt.show()

# %%
# The interval, 95 % from a bootstrap over all participants, is narrower than that of a
# test part of one fold. It covers the choice of participants, not that of the folds:
# another ``split.seed`` gives a slightly different error.
#
# ``crossfit`` corrects the gap of each tenth of the participants with a line that was
# fitted on the others, so that no one is corrected by a fit that includes them.
# ``brainage report run=FOLDER`` writes the page, with the phenotypes of the cohort.
#
# .. seealso::
#
#    ``split=leave_site_out split.site=all`` makes a fold of each site: :doc:`/guide`.
#    In Python: :ref:`sphx_glr_auto_gallery_plot_4_scikit_learn.py`.
