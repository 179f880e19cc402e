import csv
import logging
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor, nn
from torch.utils.data import DataLoader

from brainage.data.augmentation import Augmentation
from brainage.data.batches import BatchOrder, Draw
from brainage.data.datasets import SeriesDataset
from brainage.errors import ConfigError, DeviceError
from brainage.training.fit import Fit, FitSettings, fit
from brainage.training.module import AgeRegressor, derived_seed
from brainage.training.predict import predict
from brainage.training.trainer import check_trainer

N_CHANNELS, N_TIMES = 3, 17
CPU = {"accelerator": "cpu", "devices": 1, "enable_model_summary": False, "num_sanity_val_steps": 0}
LOSSES = ("train/loss", "train/mae", "val/loss", "val/mae")


class Linear(nn.Module):
    """The smallest network that can learn something, with dropout."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(N_CHANNELS * N_TIMES, 1)

    def forward(self, series: Tensor) -> Tensor:
        predicted: Tensor = self.last(self.dropout(series.flatten(1)))
        return predicted


class Data(LightningDataModule):
    """21 training and 6 validation participants; age is in the first channel's mean."""

    def __init__(self, augmentation: Augmentation = Augmentation()) -> None:  # noqa: B008 - frozen
        super().__init__()
        self.augmentation = augmentation
        rng = np.random.default_rng(0)
        series = rng.standard_normal((27, N_CHANNELS, N_TIMES)).astype(np.float32)
        ages = 60 + 20 * series[:, 0].mean(axis=1).astype(np.float64)
        self.train = SeriesDataset(series[:21], np.arange(21), None, ages[:21])
        self.val = SeriesDataset(series[21:], np.arange(6), None, ages[21:])

    def train_dataloader(self) -> DataLoader[object]:
        order = BatchOrder(21, 4, 0, lambda rng, index: Draw(index, self.augmentation.draw(rng, len(index), N_TIMES)))
        return DataLoader(self.train, sampler=order, batch_size=None)

    def val_dataloader(self) -> DataLoader[object]:
        return DataLoader(self.val, sampler=BatchOrder(6, 4), batch_size=None)


def fitted(
    folder: Path,
    data: Data | None = None,
    *,
    epochs: int = 4,
    dropout: float = 0.0,
    seed: int = 1,
    **more: object,
) -> Fit:
    arguments = {
        "optimizer": lambda parameters: torch.optim.SGD(parameters, lr=0.01),
        "scheduler": None,
        "patience": 50,
        "output_bias": 60.0,
        **more,
    }
    settings = FitSettings(
        trainer_arguments={**CPU, "max_epochs": epochs},
        seed=seed,
        **arguments,  # type: ignore[arg-type]
    )
    return fit(lambda: Linear(dropout), data or Data(), settings, folder)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_an_epoch_leaves_a_row_and_the_best_weights_are_kept(tmp_path: Path) -> None:
    result = fitted(tmp_path)
    table = rows(tmp_path)
    assert list(table[0]) == ["epoch", "train/loss", "train/mae", "val/loss", "val/mae", "lr", "seconds"]
    assert [row["epoch"] for row in table] == ["0", "1", "2", "3"]
    losses = [float(row["val/loss"]) for row in table]
    assert result.best_epoch == int(np.argmin(losses))
    assert result.epochs == 4
    # The kept weights give the validation loss that was written for their epoch.
    data = Data()
    predicted = predict(result.network, (series for series, _ in data.val_dataloader()))
    ages = np.concatenate([ages for _, ages in data.val_dataloader()])
    assert np.mean((predicted - ages) ** 2) == pytest.approx(min(losses), rel=1e-5)
    assert np.mean(np.abs(predicted - ages)) == pytest.approx(float(table[result.best_epoch]["val/mae"]), rel=1e-5)


def test_training_stops_when_the_validation_loss_does_not_fall(tmp_path: Path) -> None:
    def still(parameters: object) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=1e-12)  # type: ignore[arg-type]

    result = fitted(tmp_path, epochs=30, patience=3, optimizer=still)
    assert result.epochs == 4  # the first, and three without a lower loss
    assert result.best_epoch == 0


def test_all_epochs_are_logged_and_some_are_for_the_screen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "brainage")
    fitted(tmp_path, epochs=12, optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.0123456))
    lines = [record for record in caplog.records if record.message.startswith("epoch ")]
    assert [line.message.partition(":")[0] for line in lines] == [f"epoch {number}" for number in range(12)]
    shown = [number for number, line in enumerate(lines) if line.levelno == logging.INFO]
    assert shown == [0, 2, 4, 6, 8, 10, 11]
    assert re.fullmatch(r"epoch 3: MAE train [\d.]+, validation [\d.]+, best epoch \d, lr 0.01235", lines[3].message)


def test_checkpoints_contain_tensors_and_plain_values_only(tmp_path: Path) -> None:
    fitted(tmp_path)
    for name, epoch in (("best", None), ("last", 3)):
        checkpoint = torch.load(tmp_path / "checkpoints" / f"{name}.ckpt", weights_only=True)
        assert set(checkpoint["state_dict"]) == {"network.last.weight", "network.last.bias"}
        assert epoch is None or checkpoint["epoch"] == epoch
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]


def test_the_last_checkpoint_is_the_last_epoch_even_without_a_lower_loss(tmp_path: Path) -> None:
    def still(parameters: object) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=1e-12)  # type: ignore[arg-type]

    fitted(tmp_path, epochs=3, optimizer=still)
    epochs = {
        name: torch.load(tmp_path / "checkpoints" / f"{name}.ckpt", weights_only=True)["epoch"]
        for name in ("best", "last")
    }
    assert epochs == {"best": 0, "last": 2}


def test_the_same_seed_gives_the_same_bits_dropout_included(tmp_path: Path) -> None:
    state = torch.get_rng_state()
    weights = [
        fitted(tmp_path / str(i), dropout=0.5, seed=seed).network.last.weight.detach().clone()  # type: ignore[union-attr]
        for i, seed in enumerate((1, 1, 2))
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert torch.equal(torch.get_rng_state(), state)  # the global generator is given back


def test_every_epoch_has_its_own_order_and_random_numbers(tmp_path: Path) -> None:
    seen: list[list[float]] = []

    class Watching(Data):
        def train_dataloader(self) -> DataLoader[object]:
            loader = super().train_dataloader()
            original = loader.dataset.__getitem__

            class Dataset(torch.utils.data.Dataset[object]):
                def __getitem__(self, draw: Draw) -> object:
                    seen.append([float(i) for i in draw.index])
                    return original(draw)

            return DataLoader(Dataset(), sampler=loader.sampler, batch_size=None)

    fitted(tmp_path, Watching(), epochs=2)
    # 21 in fours: the last one joins the batch before it, so five batches an epoch.
    assert [len(batch) for batch in seen] == [4, 4, 4, 4, 5] * 2
    assert seen[:5] != seen[5:]
    assert len({derived_seed(seed, epoch) for seed in range(20) for epoch in range(20)}) == 400


def test_a_scheduler_moves_the_rate_that_is_written(tmp_path: Path) -> None:
    def halving(optimizer: torch.optim.Optimizer) -> object:
        return torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)

    fitted(tmp_path, epochs=3, scheduler=halving)
    assert [float(row["lr"]) for row in rows(tmp_path)] == pytest.approx([0.01, 0.005, 0.0025])


def test_the_output_bias_starts_where_it_is_asked_to(tmp_path: Path) -> None:
    def still(parameters: object) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=1e-12)  # type: ignore[arg-type]

    for value, expected in ((61.5, 61.5), (None, 0.0)):
        result = fitted(tmp_path / str(value), epochs=1, optimizer=still, output_bias=value)
        assert result.network.last.bias.item() == pytest.approx(expected, abs=1e-6)  # type: ignore[arg-type, union-attr]


def test_a_network_without_a_last_linear_layer_has_no_bias_to_set(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"`model.output_bias=mean_age` needs .*Sequential has none"):
        fit(
            lambda: nn.Sequential(nn.Flatten(), nn.Linear(N_CHANNELS * N_TIMES, 2)),
            Data(),
            FitSettings(lambda parameters: torch.optim.SGD(parameters, lr=0.01), None, CPU, output_bias=60.0),
            tmp_path,
        )


def test_running_errors_are_over_participants_not_batches() -> None:
    module = AgeRegressor(Linear(), optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.01))
    error = module.val_error
    assert error.mse is None
    for predicted, ages in ((torch.tensor([1.0, 3.0, 5.0]), torch.zeros(3)), (torch.tensor([7.0]), torch.zeros(1))):
        error.update(((predicted - ages) ** 2).mean(), predicted, ages)
    assert error.mse == pytest.approx((1 + 9 + 25 + 49) / 4)
    assert error.mae == pytest.approx((1 + 3 + 5 + 7) / 4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_hardware_that_is_not_here_is_refused() -> None:
    with pytest.raises(DeviceError, match=r"`trainer.accelerator` must be hardware .*got 'gpu'.*trainer=cpu"):
        check_trainer({"accelerator": "gpu", "devices": 1})


@pytest.mark.parametrize(
    ("accelerator", "devices", "said"),
    [
        ("gpu", 2, r"got 2: You requested gpu: \[0, 1\] But your machine only has: \[0\]\. Use fewer"),
        ("gpu", [0, 3], r"got \[0, 3\]: .* machine only has: \[0\]\."),
        ("cpu", -1, "number of processes on CPUs, but got -1: .*an int > 0"),
        ("cpu", 0, "number of processes on CPUs, but got 0: "),
    ],
)
def test_devices_that_are_not_here_are_refused(
    accelerator: str, devices: object, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("lightning_fabric.accelerators.cuda.num_cuda_devices", lambda: 1)
    with pytest.raises(DeviceError, match=f"`trainer.devices` must be devices of this machine.*{said}"):
        check_trainer({"accelerator": accelerator, "devices": devices, "strategy": "ddp"})


@pytest.mark.parametrize(
    ("arguments", "match"),
    [({"precision": "17"}, "Precision '17' is invalid"), ({"max_time": "tomorrow"}, "not a valid duration")],
    ids=["precision", "time"],
)
def test_what_lightning_refuses_is_said(arguments: dict[str, object], match: str) -> None:
    with pytest.raises(ConfigError, match=f"`trainer`: Lightning refuses its arguments: .*{match}"):
        check_trainer({"accelerator": "cpu", **arguments})


@pytest.mark.more
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with a C++ compiler, and there is none")
def test_a_compiled_network_trains_to_the_same_and_is_the_same_network(tmp_path: Path) -> None:
    usual = fitted(tmp_path / "usual")
    compiled = fitted(tmp_path / "compiled", compile=True)
    for row, other in zip(rows(tmp_path / "usual"), rows(tmp_path / "compiled"), strict=True):
        assert [float(other[key]) for key in LOSSES] == pytest.approx([float(row[key]) for key in LOSSES], rel=1e-4)
    assert compiled.network.state_dict().keys() == usual.network.state_dict().keys()
    resumed = fitted(tmp_path / "compiled", compile=True, epochs=5)
    assert resumed.epochs == 5 and rows(tmp_path / "compiled")[4]["epoch"] == "4"


@pytest.mark.more
def test_without_a_compiler_compiling_is_one_error(tmp_path: Path) -> None:
    from torch._inductor import config as inductor_config  # seconds

    torch.compiler.reset()
    with (
        inductor_config.patch({"cpp.cxx": ("no-such-compiler",), "force_disable_caches": True}),
        pytest.raises(DeviceError, match="`trainer.compile=true` needs a machine where torch compiles.*use trainer"),
    ):
        fitted(tmp_path, compile=True)
    assert not (tmp_path / "checkpoints" / "last.ckpt").exists()
