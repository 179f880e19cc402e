"""
Analyse the predictions of any tool
===================================

:func:`ba.analyze <brainage.analyze>` needs a DataFrame with the columns `age` and
`predicted_age`, and no network of this project: predictions from structural MRI, of a
regression, or of a published tool. It computes accuracy with intervals, the gap, its
correction, and the associations of the gap.
"""

# %%
# A table
# -------
#
# `sex`, `site` and `head_motion` (mm) have a meaning and are covariates. All other
# columns are phenotypes. In these simulated people, memory depends on the gap, grip
# strength on age alone, and restlessness on how much a person moves in the scanner,
# which disturbs the prediction too.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import brainage as ba

rng = np.random.default_rng(2)
n = 600
age, true_gap = rng.uniform(20, 85, n), rng.normal(0, 4, n)
motion = np.exp(rng.normal(-2, 0.4, n) + 0.004 * (age - 50))
predicted = 50 + 0.75 * (age + true_gap - 50) + rng.normal(0, 4, n)
table = pd.DataFrame(
    {
        "age": age,
        "predicted_age": predicted + 40 * (motion - motion.mean()),
        "sex": rng.choice(["F", "M"], n),
        "site": rng.choice(["Berlin", "Potsdam"], n),
        "head_motion": motion,
        "memory": 30 - 0.4 * true_gap + rng.normal(0, 3, n),
        "grip_strength": 55 - 0.3 * age + rng.normal(0, 6, n),
        "restlessness": 5 + 20 * motion + rng.normal(0, 1, n),
        "birth_month": rng.integers(1, 13, n),
    }
)
found = ba.analyze(table)
for name in ("mae", "r2"):
    estimate = found.accuracy.estimates[name]
    print(f"{name}: {estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})")
print(*found.notes, sep="\n")

# %%
# Associations of the gap
# -----------------------
#
# Each variable has two correlations: with the raw gap, and the partial correlation that
# adjusts for age, age², sex, site and head motion.

associations = found.associations.table.set_index("variable")
place = np.arange(len(associations))

fig, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for name, offset, colour in [("r", -0.1, "#7d8794"), ("r_partial", 0.1, "#0072b2")]:
    values = associations[name]
    low, high = associations[f"{name}_low"], associations[f"{name}_high"]
    sides = [values - low, high - values]
    ax.errorbar(values, place + offset, xerr=sides, fmt="o", color=colour, label=name)
ax.axvline(0, color="black", linewidth=1)
ax.set(yticks=place, yticklabels=associations.index, xlabel="correlation")
ax.invert_yaxis()
fig.legend(loc="outside upper right", ncols=2, frameon=False)
plt.show()

# %%
# Grip strength correlates with the raw gap because both depend on age; its partial r is
# near 0. Restlessness does so because of head motion, and disappears when motion is a
# covariate. Memory remains: it depends on the gap itself. Report the partial r, with q,
# the p value corrected for the number of variables:

associations[["n", "r", "r_partial", "p_partial", "q_partial", "covariates"]].round(3)

# %%
# Name the variables that you planned to test, ``ba.analyze(table,
# variables=["memory"])``: each further one makes q larger.
#
# Without a column `split` all rows are analysed, and the correction is fitted on the
# same rows (``in_sample``); ``gap_correction="crossfit"`` fits it on other rows than it
# corrects. The table must not contain people whom the model was trained on, unless
# `split` marks them.
#
# .. seealso::
#
#    ``brainage report predictions=FILE`` writes the same as a page, of which
#    :doc:`/reading_a_report` explains every number.
