"""
Cross-validate and tune with scikit-learn
=========================================

:class:`~brainage.BrainAgeRegressor` is the network of ``brainage train`` with
scikit-learn's interface, so that ``cross_val_score``, ``GridSearchCV`` and the
splitters work as for any other regressor. Here they answer two questions: how large is
the error in new people, and how large is it at a *new site*?
"""

# %%
# Arrays
# ------
#
# `X` has the shape (participants, channels, time points). The units of a channel do not
# matter, because each series is z-scored over time. These people are simulated: with
# age, the spectra of the first four channels reach to higher frequencies. Scanners
# change spectra too, and the sites differ in age, as they do in most studies.

import matplotlib.pyplot as plt
import numpy as np

import brainage as ba

rng = np.random.default_rng(0)
n_participants, n_channels, n_times, t_r = 200, 8, 160, 0.735
site = rng.integers(4, size=n_participants)
age = rng.uniform(45, 75, n_participants) + 3 * site

knee = np.full((n_participants, n_channels), 0.07)  # Hz
knee *= np.exp(0.15 * rng.standard_normal(knee.shape))
knee[:, :4] *= np.exp(0.025 * (age - 65))[:, np.newaxis]
knee *= np.array([0.9, 1.25, 0.8, 1.1])[site][:, np.newaxis]
frequencies = np.fft.rfftfreq(n_times, t_r)
gain = 1 / (1 + (frequencies / knee[:, :, np.newaxis]) ** 2)
noise = rng.standard_normal((n_participants, n_channels, n_times))
X = np.fft.irfft(gain * np.fft.rfft(noise), n=n_times)
X.shape

# %%
# Random folds, and sites left out
# --------------------------------
#
# ``KFold`` puts people of each site into training and test. ``LeaveOneGroupOut`` tests
# on a site that the network was not trained on, which is the situation of others who
# will use your network.

from sklearn.dummy import DummyRegressor
from sklearn.model_selection import KFold, LeaveOneGroupOut, cross_val_score

settings = {"readout": "global_average", "lr": 1e-2, "batch_size": 16, "max_epochs": 10}
network = ba.BrainAgeRegressor(**settings)
models = {"mean age": DummyRegressor(), "network": network}
splits = {
    "random folds": list(KFold(4, shuffle=True, random_state=0).split(X)),
    "sites left out": list(LeaveOneGroupOut().split(X, groups=site)),
}
mae = "neg_mean_absolute_error"

fig, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for split, folds in splits.items():
    for name, model in models.items():
        errors = -cross_val_score(model, X, age, cv=folds, scoring=mae)
        colour = "#0072b2" if name == "network" else "#7d8794"
        label = f"{name}, {split}"
        ax.plot(errors, [label] * 4, "o", color=colour, alpha=0.6)
        ax.plot(errors.mean(), label, "|", color=colour, markersize=24)
ax.set(xlabel="MAE (years)", xlim=(0, None), ylim=(3.5, -0.5))
plt.show()

# %%
# A point is a fold or a site, a bar their mean. Read it in pairs: the network against
# the mean age of its training participants, on the same split. In random folds the
# network may use what it learned of the test people's own scanner; where the site is
# new, it cannot, and its error is larger. Report the error of the sites left out if
# other sites will use the network. (The mean age is worse there too, because each site
# has its own ages.)
#
# Relatives must not be on both sides of a split either: use ``GroupKFold`` with one
# group for each family.

# %%
# Tune without looking at the test people
# ---------------------------------------
#
# A grid search inside the training data, then one test on people who had no part in it.

from sklearn.model_selection import GridSearchCV, train_test_split

X_train, X_test, age_train, age_test = train_test_split(
    X, age, test_size=60, random_state=0
)
grid = {"depth": [1, 2], "kernel_size": [5, 9]}
search = GridSearchCV(network, grid, cv=2, scoring=mae)
search.fit(X_train, age_train)
print(f"chosen: {search.best_params_}")
print(f"MAE in the folds that chose it: {-search.best_score_:.2f} years")
test_error = np.abs(search.predict(X_test) - age_test).mean()
print(f"MAE in test people:             {test_error:.2f} years")

# %%
# The first error chose the best of four, and is no result; the second one is. (It is
# lower here, because the networks of the search had half of the people to learn from.)
# If you go back and change the grid because of the second one, it is no longer a test
# error.
#
# .. seealso::
#
#    ``brainage train --multirun split=kfold`` and ``split=leave_site_out`` do the same
#    for files, with reports, and ``sweep=`` searches with Optuna: :doc:`/guide`.
