"""Predicting 10,000 participants x ICA100 with the final model: time relative to a bare loop, and memory."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.measure import ROOT, Result, of_medians, run

LARGE, SMALL = 10_000, 2_000

# The same network predicts the same participants in turn: from the store, and in a bare loop over batches in memory.
_PREDICT = """
import json, sys, time
from pathlib import Path
import numpy as np, pandas as pd, torch
sys.path.insert(0, sys.argv[1])
from brainage.trained.load import read_trained
from brainage.data.store.layout import list_stores, load_store
from brainage.data.datasets import series_batches
from brainage.data.participants import Participants
from brainage.training.predict import predict
trained = read_trained(Path(sys.argv[2]), "run")
network, channels, n = trained.network(), trained.modality.channel_indices(), int(sys.argv[5])
store = next(found for path in list_stores(Path(sys.argv[3])) if len((found := load_store(path)).participant_ids) == n)
rows = np.arange(n)
participants = Participants(pd.DataFrame({"row": rows, "age": 0.0}), store, tuple(channels), trained.modality.n_times)
bare = []
if sys.argv[4] == "bare":
    batches = [torch.from_numpy(store.series[rows[i : i + 250, None], channels]) for i in range(0, n, 250)]
seconds = []
for turn in range(3 if sys.argv[4] == "bare" else 1):
    started = time.perf_counter()
    ours = predict(network, series_batches(participants, 250))
    middle = time.perf_counter()
    if sys.argv[4] == "bare":
        with torch.inference_mode():
            theirs = torch.cat([network(batch) for batch in batches])
        assert np.allclose(ours, theirs.squeeze(1).numpy(), rtol=1e-4)
    seconds.append((middle - started, time.perf_counter() - middle))
print(json.dumps(seconds))
"""


def measure(folder: Path, repetitions: int) -> list[Result]:
    """Train the final model for one epoch on few participants, and predict many."""
    store, trained = folder / "store", folder / "run"
    few = ["cohort.n_participants=60", "trainer.max_epochs=1", "trainer=cpu", f"store.root={folder / 'other'}"]
    run(folder, str(ROOT / "train.py"), "experiment=final_models/ica100", *few, f"hydra.run.dir={trained}")
    words = [str(ROOT / "predict.py"), f"run={trained}", "cohort=simulated", f"store.root={store}", "match_ids=false"]
    for n in (SMALL, LARGE):  # builds the stores
        run(folder, *words, f"cohort.n_participants={n}", f"hydra.run.dir={folder / f'make-{n}'}")
    ratios, memory = [], []
    for _ in range(repetitions):
        out = run(folder, "-c", _PREDICT, str(ROOT), str(trained), str(store), "bare", str(SMALL)).out
        turns = json.loads(out.splitlines()[-1])
        ratios.append(sorted(ours / bare for ours, bare in turns)[len(turns) // 2])
        peaks = [
            run(folder, "-c", _PREDICT, str(ROOT), str(trained), str(store), "alone", str(n), watch=True).peak
            for n in (SMALL, LARGE)
        ]
        memory.append(peaks[1] / peaks[0])
    return [
        of_medians("Predicting ICA100 / bare loop over batches in memory", ratios, 1.1, note=f"{SMALL:,} participants"),
        of_medians("Predicting 10,000 x ICA100: unique memory / of 2,000", memory, 1.1),
    ]
