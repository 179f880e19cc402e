from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from brainage.data.augmentation import Augmentation
from brainage.training.fit import Fit
from brainage.training.predict import predict
from tests.training.test_fit import Data, fitted, rows


def test_a_resumed_fit_ends_with_the_same_bits(tmp_path: Path) -> None:
    def trained(name: str, epochs: int) -> Fit:
        data = Data(Augmentation(circular_shift=True, cutmix=1.0))
        return fitted(tmp_path / name, data, epochs=epochs, weight_averaging=0.9)

    whole = trained("whole", 6)
    trained("parts", 3)
    parts = trained("parts", 6)
    again = trained("parts", 6)
    for fit in (parts, again):
        for one, other in zip(whole.network.parameters(), fit.network.parameters(), strict=True):
            assert torch.equal(one, other)


def test_what_is_validated_and_kept_are_the_averaged_weights(tmp_path: Path) -> None:
    seen: list[torch.Tensor] = []

    class Watch(Callback):
        """Keeps the weights of every step."""

        def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *rest: object) -> None:
            seen.append(pl_module.network.last.weight.detach().clone())  # type: ignore[union-attr,operator]

    result = fitted(tmp_path, epochs=3, weight_averaging=0.3, callbacks=[Watch()])
    n_steps = len(seen) // 3
    average = seen[0]
    averages = [average]
    for n, weight in enumerate(seen[1:], start=1):
        kept = min(0.3, (1 + n) / (10 + n))
        average = kept * average + (1 - kept) * weight
        averages.append(average)
    expected = averages[(result.best_epoch + 1) * n_steps - 1]
    torch.testing.assert_close(result.network.last.weight, expected)  # type: ignore[union-attr]
    data = Data()
    predicted = predict(result.network, (series for series, _ in data.val_dataloader()))
    ages = np.concatenate([ages for _, ages in data.val_dataloader()])
    losses = [float(row["val/loss"]) for row in rows(tmp_path)]
    assert np.mean((predicted - ages) ** 2) == pytest.approx(losses[result.best_epoch], rel=1e-4)
