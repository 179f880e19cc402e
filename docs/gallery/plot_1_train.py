"""
Train a network, and look at its predictions
============================================

The first two figures to draw of any brain-age model: whether the training has ended,
and predicted against true age.
"""

# %%
# Train
# -----
#
# :func:`ba.train <brainage.train>` is ``brainage train`` with the same words. Without a
# cohort it simulates people: 25 independent components of a resting scan each, and ages
# from 46 to 82 years. The settings make the network learn in seconds; leave them out
# for real data.

import matplotlib.pyplot as plt

import brainage as ba

words = "cohort.n_participants=400 recipe=none trainer.max_epochs=6"
words += " model.depth=2 batch_size=16 optimizer.lr=2e-3"
run = ba.train(words.split(), quiet=True)
run

# %%
# ``run.folder`` contains ``report.html``, with all that follows and more.
# ``ba.load_run(folder)`` loads it again.
#
# Has the training ended?
# -----------------------

epochs = run.epochs

fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.plot(epochs["epoch"], epochs["train/mae"], label="training participants")
ax.plot(epochs["epoch"], epochs["val/mae"], label="validation participants")
ax.axvline(run.summary["best_epoch"], color="black", linestyle="--", label="kept epoch")
ax.set(xlabel="epoch", ylabel="MAE (years)", ylim=(0, None))
fig.legend(loc="outside upper right", ncols=3, frameon=False)
plt.show()

# %%
# The network is the one of the epoch with the lowest validation error. If that is the
# last epoch, the error was still falling: train for more epochs. A training error that
# falls alone means that the network learns its training participants by heart; more of
# them, or the default recipe, help. Neither error is a result: the first belongs to
# training participants, the second to those who chose the epoch.

# %%
# Predicted against true age
# --------------------------
#
# The result is the error in the 40 test participants.

test = run.predictions.query("split == 'test'")
mean_age = run.predictions.query("split == 'train'")["age"].mean()
mean_error = (test["age"] - mean_age).abs().mean()
error = test["bag"].abs().mean()

fig, ax = plt.subplots(figsize=(5, 5), layout="constrained")
ends = [test["age"].min(), test["age"].max()]
ax.plot(ends, ends, color="black", linewidth=1, label="predicted = true")
label = f"mean age: MAE {mean_error:.1f} years"
ax.plot(ends, [mean_age] * 2, "--", color="grey", label=label)
ax.scatter(test["age"], test["predicted_age"], label=f"network: MAE {error:.1f} years")
ax.set(xlabel="age (years)", ylabel="predicted age (years)", aspect="equal")
ax.legend(frameon=False)
plt.show()

# %%
# An error in years means little by itself: a model that has learned nothing predicts
# the mean age of its training participants, and its error depends on the range of ages.
# The network is useful by as much as its error is smaller.
#
# The points are flatter than the line: young people are overestimated, old ones
# underestimated. This is no fault of the network, and it is why the gap needs a
# correction: :ref:`sphx_glr_auto_gallery_plot_2_gap.py`.
#
# Intervals, and the comparison with a ridge regression, are in the report and in
# ``ba.analyze``:

found = ba.analyze(run.predictions, rows="test")
found.accuracy.estimates["mae"]

# %%
# A scatter plot shows single people. For real ones, share the report's figure instead,
# which is a density.
