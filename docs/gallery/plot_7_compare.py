"""
Compare two models on the same people
=====================================

Is a network better than a ridge regression on functional connectivity, and do the two
agree on *who* looks old for their age? Both questions are answered on the same test
participants, in pairs.
"""

# %%
# Two models, the same folds
# --------------------------
#
# Age acts on spectra here, and on the correlations between channels. The ridge sees
# only the correlations.

import matplotlib.pyplot as plt
import numpy as np
from nilearn.connectome import ConnectivityMeasure
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import brainage as ba

rng = np.random.default_rng(3)
n_participants, n_channels, n_times, t_r = 240, 8, 160, 0.735
age = rng.uniform(45, 80, n_participants)
true_gap = rng.normal(0, 5, n_participants)
decades = (age + true_gap - 62)[:, np.newaxis] / 10
knee = 0.15 * rng.standard_normal((n_participants, n_channels)) + 0.2 * decades
knee = 0.07 * np.exp(knee)  # Hz
noise = rng.standard_normal((n_participants, n_channels, n_times))
shared = rng.standard_normal((n_participants, 1, n_times))
noise += (0.9 - 0.15 * decades)[:, :, np.newaxis] * shared
gain = 1 / (1 + (np.fft.rfftfreq(n_times, t_r) / knee[:, :, np.newaxis]) ** 2)
X = np.fft.irfft(gain * np.fft.rfft(noise), n=n_times)

settings = {"readout": "global_average", "lr": 1e-2, "batch_size": 16, "max_epochs": 10}
network = ba.BrainAgeRegressor(**settings)
ridge = make_pipeline(
    FunctionTransformer(np.swapaxes, kw_args={"axis1": 1, "axis2": 2}),
    ConnectivityMeasure(kind="correlation", vectorize=True, standardize=None),
    StandardScaler(),
    RidgeCV(np.logspace(-2, 4, 13)),
)
models = {"network": network, "ridge": ridge}
folds = KFold(4, shuffle=True, random_state=0)
gaps = {}
for name, model in models.items():
    gaps[name] = cross_val_predict(model, X, age, cv=folds) - age
    print(f"MAE of the {name}: {np.abs(gaps[name]).mean():.2f} years")

# %%
# The difference in MAE
# ---------------------
#
# Two intervals that overlap do not mean that two models are equally good: the models
# err on the same people, so that the interval of the *difference* is narrower. Each
# resample of the bootstrap draws people, with both of their errors.

difference = np.abs(gaps["network"]) - np.abs(gaps["ridge"])
drawn = rng.integers(n_participants, size=(2000, n_participants))
low, high = np.percentile(difference[drawn].mean(axis=1), [2.5, 97.5])

fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
axes[0].hist(difference, bins=25, color="#7d8794")
axes[0].axvline(0, color="black", linewidth=1)
axes[0].axvspan(low, high, color="#d98c00", alpha=0.5)
axes[0].set(xlabel="absolute error, network − ridge (years)", ylabel="people")
axes[0].set_title(
    f"mean {difference.mean():+.2f}, 95 % interval {low:+.2f} to {high:+.2f}"
)

# With age removed: raw gaps agree already because both depend on age.
without_age = {}
for name, gap in gaps.items():
    without_age[name] = gap - np.polyval(np.polyfit(age, gap, 1), age)
axes[1].scatter(without_age["ridge"], without_age["network"], s=10, color="#0072b2")
axes[1].set(xlabel="gap of the ridge (years)", ylabel="gap of the network (years)")
agreement = np.corrcoef(without_age["ridge"], without_age["network"])[0, 1]
axes[1].set_title(f"age removed, r = {agreement:.2f}")
plt.show()

# %%
# Left: each person's difference, and, orange, the interval of its mean. An interval
# that contains 0 means that no difference was shown. Right: how far the models agree on
# the gap. A modest correlation means that a good part of each gap belongs to the model,
# not to the person.
#
# Which gap is closer to the truth?
# ---------------------------------
#
# The people are simulated, and their true gap is known:

for name, gap in without_age.items():
    print(f"{name}: r with the true gap {np.corrcoef(gap, true_gap)[0, 1]:.2f}")

# %%
# Here, the model with the lower error has the better gap too. That is no rule: a model
# that knew everyone's age would have no error, and no gap. In real data, compare the
# associations of the gaps with outcomes, in people who were not used to choose between
# the models.
#
# .. seealso::
#
#    ``brainage compare 'runs=[A,B]'`` compares runs on the test participants that they
#    share, and refuses runs that were trained on each other's: :doc:`/guide`.
