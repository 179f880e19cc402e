"""
Why the gap depends on age, and its correction
==============================================

The brain-age gap is predicted minus true age. It is positive in the young and negative
in the old, in every study, and a variable that depends on age is therefore associated
with it. This script shows why, and what a correction can and cannot do.
"""

# %%
# Predictions of which the truth is known
# ---------------------------------------
#
# A person's brain age is their age plus a gap of their own. Scans measure it with
# noise, and a model that minimises its error predicts values nearer to the mean of its
# training participants, by as much as the measurement is uncertain.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import brainage as ba

rng = np.random.default_rng(1)
n = 800
age, true_gap = rng.uniform(45, 80, n), rng.normal(0, 3, n)
measured = age + true_gap + rng.normal(0, 8, n)
shrink = np.var(age) / np.var(measured)
table = pd.DataFrame(
    {
        "split": ["val"] * 200 + ["test"] * 600,
        "age": age,
        "predicted_age": age.mean() + shrink * (measured - age.mean()),
        "true_gap": true_gap,
    }
)

# %%
# The gap, raw and corrected
# --------------------------
#
# ``linear`` subtracts a line, gap = a + b · age. It is fitted on the validation
# participants and applied to the test participants, so that no participant is corrected
# by a fit that included them.

found = ba.analyze(table, gap_correction="linear", rows="test")
line = found.corrections[0]
print(f"gap = {line.intercept:.1f} {line.slope:+.2f} · age (n = {line.n})")

fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", sharey=True)
for ax, column in zip(axes, ["bag", "bag_corrected"], strict=True):
    ax.scatter(found.rows["age"], found.rows[column], s=8, alpha=0.5)
    ax.axhline(0, color="black", linewidth=1)
    ax.set(title=column, xlabel="age (years)", ylabel="gap (years)")
ends = np.array([45, 80])
fit = line.intercept + line.slope * ends
axes[0].plot(ends, fit, color="#d98c00", linewidth=3, label="fit")
axes[0].legend(frameon=False)
plt.show()

# %%
# Left: the slope is that of any model with errors (regression to the mean). A
# 78-year-old with a gap of −5 years does not have a young brain; compare with others of
# the same age. Right: the corrected gap has no trend left.
#
# Does a straight line suffice? The means by age bin say so; they should be near 0
# compared with SD / √n.

found.by_age.round(1)

# %%
# What the correction is worth
# ----------------------------
#
# Here the true gap is known. A column `true_gap` makes ``ba.analyze`` compute how well
# estimated gaps recover it.

correlations = found.rows[["bag", "bag_corrected", "true_gap", "age"]].corr()
correlations = correlations.loc[["bag", "bag_corrected"], ["true_gap", "age"]]

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
correlations.plot.barh(ax=ax)
ax.axvline(0, color="black", linewidth=1)
ax.set(xlabel="correlation")
ax.legend(title="with", frameon=False)
plt.show()

# %%
# The raw gap says more about age than about the gap. The correction removes age, and
# cannot remove the noise: most of the corrected gap is still error of measurement.
#
# Two rules follow. Accuracy is that of raw predictions: corrected ones contain the true
# age, and look accurate for any model. And associations are tested with age as a
# covariate, as the partial correlations of a report are:
# :ref:`sphx_glr_auto_gallery_plot_5_any_table.py`.

raw, corrected = found.rows[["bag", "bag_corrected"]].abs().mean()
print(f"MAE {raw:.1f} years; with the correction, which knows the age, {corrected:.1f}")

# %%
# The methods, with references: :doc:`/reading_a_report`.
