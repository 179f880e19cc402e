from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from brainage.errors import ConfigError
from brainage.training.checkpoint import is_in_years, read_checkpoint
from brainage.training.fit import predict
from brainage.training.module import AgeRegressor
from brainage.training.recipe import Augmentation, OutputScale, Recipe, check_folds, fold, shifted
from brainage.training.schedule import warmup_cosine
from tests.training.test_fit import Data, Linear, fitted, rows

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


def test_a_folded_network_gives_years() -> None:
    network, scale = nn.Sequential(nn.Flatten(), nn.Linear(N_CHANNELS * N_TIMES, 1)), OutputScale(63.0, 7.5)
    series, _ = batch()
    expected = network(series) * 7.5 + 63
    fold(network, scale)
    assert torch.allclose(network(series), expected, atol=1e-4)


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Flatten(), nn.Linear(N_CHANNELS * N_TIMES, 1), nn.ReLU()),
        nn.Sequential(nn.Flatten(), nn.Linear(N_CHANNELS * N_TIMES, 1, bias=False)),
        nn.Sequential(nn.Flatten(), nn.Linear(N_CHANNELS * N_TIMES, 2)),
    ],
    ids=["something follows", "no bias", "two outputs"],
)
def test_a_network_that_cannot_be_folded_is_refused_and_left_alone(network: nn.Module) -> None:
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(ConfigError, match=r"`recipe.scale_target` needs .*Sequential does not. Use recipe.scale_t"):
        check_folds(network, batch()[0])
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_the_loss_is_in_units_of_the_scale_and_the_errors_in_years() -> None:
    network, scale = Linear(), OutputScale(60.0, 5.0)
    module = AgeRegressor(network, optimizer=torch.optim.SGD, scale=scale)
    series = torch.randn(4, 3, 17, generator=torch.Generator().manual_seed(2))
    ages = torch.tensor([50.0, 60.0, 65.0, 70.0])
    loss = module.training_step((series, ages), 0)
    standard = (ages - 60) / 5
    assert loss.item() == pytest.approx(((network(series).squeeze(1) - standard) ** 2).mean().item(), rel=1e-5)
    years = network(series).squeeze(1) * 5 + 60
    assert module.train_error.mae == pytest.approx((years - ages).abs().mean().item(), rel=1e-5)


def test_a_scaled_fit_leaves_weights_that_give_years(tmp_path: Path) -> None:
    result = fitted(tmp_path, scale=OutputScale(60.0, 5.0), recipe=Recipe(zero_output=True))
    data = Data()
    predicted = predict(result.network, data.val_dataloader())
    ages = np.concatenate([ages for _, ages in data.val_dataloader()])
    lowest = min(float(row["val/loss"]) for row in rows(tmp_path))
    assert np.mean((predicted - ages) ** 2) == pytest.approx(lowest, rel=1e-4)
    best = read_checkpoint(tmp_path / "checkpoints" / "best.ckpt")
    assert is_in_years(best)
    assert not is_in_years(read_checkpoint(tmp_path / "checkpoints" / "last.ckpt"))
    kept = best["state_dict"]["network.last.bias"]
    assert torch.equal(kept, result.network.last.bias)  # type: ignore[union-attr]


def test_a_scaled_fit_that_goes_on_after_its_end_is_given_years_once(tmp_path: Path) -> None:
    recipe = Recipe(circular_shift=True, cutmix=1.0, weight_averaging=0.9)
    more = {"scale": OutputScale(60.0, 5.0), "recipe": recipe}
    whole = fitted(tmp_path / "whole", epochs=6, **more)
    fitted(tmp_path / "parts", epochs=3, **more)
    parts = fitted(tmp_path / "parts", epochs=6, resume=True, **more)
    again = fitted(tmp_path / "parts", epochs=6, resume=True, **more)
    for fit in (parts, again):
        for one, other in zip(whole.network.parameters(), fit.network.parameters(), strict=True):
            assert torch.equal(one, other)


def test_training_that_starts_at_zero_begins_with_one_age_for_everybody(tmp_path: Path) -> None:
    def still(parameters: object) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=1e-30)  # type: ignore[arg-type]

    result = fitted(tmp_path, epochs=1, optimizer=still, recipe=Recipe(zero_output=True), output_bias=61.0)
    assert set(predict(result.network, Data().val_dataloader()).tolist()) == {61.0}


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


def test_the_rate_rises_falls_and_stays_above_zero() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    scheduler = warmup_cosine(optimizer, T_max=20, warmup=0.1)
    rates = []
    for _ in range(22):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates[:3] == pytest.approx([2 / 3, 4 / 3, 2.0])
    assert rates[11] == pytest.approx(1.0)  # half-way down, 9 of 18 epochs
    assert all(later < earlier for earlier, later in zip(rates[2:19], rates[3:20], strict=True))
    assert rates[-1] == pytest.approx(0.02)


def test_a_warm_up_that_is_no_share_is_refused() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    with pytest.raises(ValueError, match=r"`warmup` must be in \[0, 1\), but got 2"):
        warmup_cosine(optimizer, T_max=20, warmup=2)
