"""
Which channels and which frequencies does a network use?
========================================================

A network is explained by changing its input: what happens to the predicted ages if a
channel, or a band of frequencies, is removed? And an explanation is checked: a network
that learned nothing must not give the same one.
"""

# %%
# A network, and one that learned nothing
# ---------------------------------------
#
# In these simulated people, age acts on the first three of eight channels: a rhythm
# between 0.10 and 0.15 Hz becomes stronger. The second network has the same data with
# the ages in random order.

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.stats import zscore

import brainage as ba

rng = np.random.default_rng(4)
n_participants, n_channels, n_times, t_r = 300, 8, 160, 0.735
age = rng.uniform(45, 80, n_participants)
frequencies = np.fft.rfftfreq(n_times, t_r)
strength = np.ones((n_participants, n_channels, len(frequencies)))
rhythm = (frequencies > 0.10) & (frequencies < 0.15)
strength[:, :3, rhythm] = np.exp(0.04 * (age - 62))[:, np.newaxis, np.newaxis]
strength /= 1 + (frequencies / 0.15) ** 2
noise = rng.standard_normal((n_participants, n_channels, n_times))
X = np.fft.irfft(strength * np.fft.rfft(noise), n=n_times)

train, test = np.arange(240), np.arange(240, 300)
settings = {"readout": "global_average", "lr": 1e-2, "batch_size": 16, "max_epochs": 20}
network = ba.BrainAgeRegressor(**settings).fit(X[train], age[train])
random_ages = rng.permutation(age[train])
ignorant = ba.BrainAgeRegressor(**settings).fit(X[train], random_ages)
print(f"MAE {np.abs(network.predict(X[test]) - age[test]).mean():.1f} years")

# %%
# Remove one thing at a time
# --------------------------
#
# The networks see z-scored series. A channel is removed by setting it to zero, its
# mean; a band by setting its Fourier coefficients to zero. The effect is the change of
# the predicted age, in years, of people whom the network was not trained on.

seen = zscore(X[test], axis=-1)
channels = []
for channel in range(n_channels):
    channels.append(seen.copy())
    channels[-1][:, channel] = 0

bands, edges = [], np.arange(0, 0.70, 0.05)
for low in edges:
    spectrum = np.fft.rfft(seen)
    spectrum[..., (frequencies >= low) & (frequencies < low + 0.05)] = 0
    bands.append(np.fft.irfft(spectrum, n=n_times))


def effects(model, changed):
    """Return the SD between people of what each change does to their predicted age."""
    series = torch.tensor(np.array([seen, *changed]), dtype=torch.float32)
    with torch.inference_mode():
        ages = torch.stack([model.network_(one).ravel() for one in series])
    return (ages[1:] - ages[0]).std(dim=1)


fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
numbers = np.arange(1, n_channels + 1)
for label, model in {"trained": network, "trained on random ages": ignorant}.items():
    axes[0].plot(numbers, effects(model, channels), "o-", label=label)
    axes[1].plot(edges + 0.025, effects(model, bands), "o-")
axes[0].axvspan(0.5, 3.5, color="black", alpha=0.1, label="where age acts")
axes[1].axvspan(0.10, 0.15, color="black", alpha=0.1)
axes[0].set(xlabel="channel that is removed", ylabel="SD of the effect (years)")
axes[1].set(xlabel="band that is removed (Hz)", ylim=(0, None))
fig.legend(loc="outside upper right", ncols=3, frameon=False)
plt.show()

# %%
# The SD between people is shown because an effect that is the same for everyone does
# not distinguish ages. Where the blue curve is above the orange one, the network uses
# what was removed. A blue curve that has the shape of the orange one would describe the
# architecture and the series, not what was learned (Adebayo et al. 2018, `doi
# 10.48550/arXiv.1810.03292 <https://doi.org/10.48550/arXiv.1810.03292>`_).
#
# Removing things makes series that no person has. An effect means that *this network's
# predictions depend on* a channel or a band, not that ageing happens there:
# :doc:`/faq`.
#
# .. seealso::
#
#    ``brainage explain run=DIR`` does this for a run: by channel and time window, with
#    integrated gradients, intervals and re-initialised networks: :doc:`/guide`.
