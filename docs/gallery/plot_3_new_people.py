"""
Predict new people from arrays
==============================

A trained network predicts arrays in a notebook. The checks that files get are made for
arrays too: channels, length, repetition time, z-scoring, and whether the new people
resemble those of the training.
"""

# %%
# A network
# ---------
#
# It comes from a run, ``run.bundle``, or from a bundle that somebody shared,
# :func:`ba.load_bundle(FOLDER) <brainage.load_bundle>`.

import subprocess
import sys
import tempfile
import textwrap
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import brainage as ba

words = "cohort.n_participants=400 recipe=none trainer.max_epochs=6"
words += " model.depth=2 batch_size=16 optimizer.lr=2e-3"
bundle = ba.train(words.split(), quiet=True).bundle
bundle

# %%
# New people
# ----------
#
# Sixty people whom the network has not seen, as text files. Give each array as it is,
# time points in rows: do not z-score, cut or sort anything.

folder = Path(tempfile.mkdtemp()) / "bids"
words = f"simulate --layout bids --participants 60 --seed 7 --out {folder}"
subprocess.run(
    [sys.executable, "-m", "brainage", *words.split()], check=True, capture_output=True
)
participants = pd.read_csv(
    folder / "participants.tsv", sep="\t", index_col="participant_id"
)
series = {
    name: np.loadtxt(folder / name / f"ses-2/func/{name}_ses-2_task-rest_ts-ica-25.txt")
    for name in participants.index
}


def predict(series):
    """Predict ages, and print warnings."""
    with warnings.catch_warnings(record=True) as caught:
        predicted = bundle.predict(series, ages=participants["age"], t_r=0.735)
    for one in caught:
        print(textwrap.fill(f"{one.message}", 70))
    return predicted


predicted = predict(series)
predicted.head(3).reset_index(drop=True).round(1)

# %%
# By chance, a tenth of people are outside a range from the 5th to the 95th percentile.
# A warning says so if there are more, or if, as here, one is far outside: look at that
# person's series. Ages are optional; without them, there is only `predicted_age`.
# ``bag_corrected`` is the gap corrected with the line that was fitted on the network's
# own validation participants.

fig, ax = plt.subplots(figsize=(5, 5), layout="constrained")
ends = [predicted["age"].min(), predicted["age"].max()]
ax.plot(ends, ends, color="black", linewidth=1, label="predicted = true")
label = f"MAE {predicted['bag'].abs().mean():.1f} years"
ax.scatter(predicted["age"], predicted["predicted_age"], color="#0072b2", label=label)
ax.set(xlabel="age (years)", ylabel="predicted age (years)", aspect="equal")
ax.legend(frameon=False)
plt.show()

# %%
# What would have gone wrong
# --------------------------
#
# Another repetition time, or transposed arrays, would give numbers that look like ages.
# They are refused:

arrays = list(series.values())
transposed = [one.T for one in arrays]
for given, t_r in [(arrays, 2.0), (transposed, 0.735)]:
    try:
        bundle.predict(given, t_r=t_r)
    except ValueError as error:
        print(textwrap.fill(f"{error}", 70), end="\n\n")

# %%
# Series that can be predicted, but do not resemble those of the training, are a
# warning. Here, half of the signal is replaced by noise:

rng = np.random.default_rng(0)
noisy = [one + one.std(axis=0) * rng.standard_normal(one.shape) for one in arrays]
shifted = predict(noisy)

fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
bins = np.linspace(-25, 25, 26)
for name, table in {"as measured": predicted, "with noise": shifted}.items():
    label = f"{name}: mean gap {table['bag'].mean():+.1f} years"
    ax.hist(table["bag"], bins, histtype="step", linewidth=2, label=label)
ax.axvline(0, color="black", linewidth=1)
ax.set(xlabel="gap (years)", ylabel="people")
fig.legend(loc="outside upper right", ncols=2, frameon=False)
plt.show()

# %%
# The same happens with another scanner or another preprocessing: all gaps move by
# years, without any ageing. The shift of a group is therefore no finding unless
# controls of the *same* scanner and preprocessing do not have it: :doc:`/faq`.
#
# .. seealso::
#
#    ``brainage predict bundle=DIR cohort=...`` does this for files, with a report:
#    :doc:`/guide`.
