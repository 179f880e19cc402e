from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from brainage.training.fit import predict
from brainage.training.recipe import Augmentation, Recipe, shifted
from tests.training.test_fit import Data, fitted, rows

BATCH, N_CHANNELS, N_TIMES = 5, 3, 7


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(BATCH, N_CHANNELS, N_TIMES, generator=generator), torch.arange(50.0, 50.0 + BATCH)


def test_a_shift_turns_all_components_of_a_person_alike() -> None:
    series, _ = batch()
    turned = shifted(series, [0, 1, 6, 3, 2])
    for person, by in enumerate([0, 1, 6, 3, 2]):
        expected = torch.from_numpy(np.roll(series[person].numpy(), -by, axis=1).copy())
        assert torch.equal(turned[person], expected)


def test_cutmix_goes_on_with_another_person_and_the_age_is_of_both_by_their_shares() -> None:
    series, ages = batch()
    n_whole = 0
    augment = Augmentation(Recipe(cutmix=1.0))
    for seed in range(10):
        augment.start_epoch(seed)
        mixed, mixed_ages = augment(series, ages)
        assert torch.allclose(mixed_ages.mean(), ages.mean())
        for person in range(BATCH):
            own = (mixed[person] == series[person]).all(dim=0)
            n_kept = N_TIMES if own.all() else int((~own).int().argmax())
            rest = [o for o in range(BATCH) if torch.equal(mixed[person, :, n_kept:], series[o, :, n_kept:])]
            other = rest[0] if len(rest) == 1 else person
            share = n_kept / N_TIMES
            assert mixed_ages[person].item() == pytest.approx(
                share * ages[person].item() + (1 - share) * ages[other].item(), abs=1e-4
            )
            n_whole += n_kept == N_TIMES
    assert n_whole < 10 * BATCH / 2


def test_an_epochs_draws_depend_on_its_seed_only_and_its_batch_is_left_alone() -> None:
    augment = Augmentation(Recipe(circular_shift=True, cutmix=0.4))
    series, ages = batch()
    before = series.clone()
    augment.start_epoch(3)
    first = augment(series, ages)
    torch.manual_seed(0)
    augment(series, ages)
    augment.start_epoch(3)
    again = augment(series, ages)
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert torch.equal(series, before)


def test_without_a_recipe_a_batch_is_the_very_same() -> None:
    series, ages = batch()
    same = Augmentation(Recipe())(series, ages)
    assert same[0] is series and same[1] is ages


def test_a_fit_that_is_taken_up_ends_with_the_same_bits(tmp_path: Path) -> None:
    recipe = Recipe(circular_shift=True, cutmix=1.0, weight_averaging=0.9)
    more = {"recipe": recipe}
    whole = fitted(tmp_path / "whole", epochs=6, **more)
    fitted(tmp_path / "parts", epochs=3, **more)
    parts = fitted(tmp_path / "parts", epochs=6, resume=True, **more)
    again = fitted(tmp_path / "parts", epochs=6, resume=True, **more)
    for fit in (parts, again):
        for one, other in zip(whole.network.parameters(), fit.network.parameters(), strict=True):
            assert torch.equal(one, other)


def test_what_is_validated_and_kept_are_the_averaged_weights(tmp_path: Path) -> None:
    seen: list[torch.Tensor] = []

    class Watch(Callback):
        """Keeps the weights of every step."""

        def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *rest: object) -> None:
            seen.append(pl_module.network.last.weight.detach().clone())  # type: ignore[union-attr,operator]

    result = fitted(tmp_path, epochs=3, recipe=Recipe(weight_averaging=0.3), callbacks=[Watch()])
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
    predicted = predict(result.network, data.val_dataloader())
    ages = np.concatenate([ages for _, ages in data.val_dataloader()])
    losses = [float(row["val/loss"]) for row in rows(tmp_path)]
    assert np.mean((predicted - ages) ** 2) == pytest.approx(losses[result.best_epoch], rel=1e-4)
