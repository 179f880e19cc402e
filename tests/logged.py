"""What loggers have written, read back by what belongs to them; the file of W&B has no public reader."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from wandb.proto import wandb_internal_pb2

# Of the log's records: a block, and a record's header.
_BLOCK, _HEADER = 32768, struct.Struct("<IHB")


@dataclass
class Logged:
    """Values by step, in the order in which they were written; single values, parameters, figures and labels."""

    steps: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    single: dict[str, float] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    figures: set[str] = field(default_factory=set)
    group: str = ""
    tags: list[str] = field(default_factory=list)

    def add(self, name: str, step: int, value: float) -> None:
        self.steps.setdefault(name, []).append((step, value))


def of_tensorboard(folder: Path) -> Logged:
    events = EventAccumulator(str(folder))
    events.Reload()
    found = Logged(figures=set(events.Tags()["images"]))
    for name in events.Tags()["scalars"]:
        found.steps[name] = [(event.step, event.value) for event in events.Scalars(name)]
    data = HParamsPluginData()
    if "_hparams_/session_start_info" in events.summary_metadata:
        data.ParseFromString(events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content)
        for key, value in data.session_start_info.hparams.items():
            found.parameters[key] = value.number_value if value.HasField("number_value") else value.string_value
        data.ParseFromString(events.SummaryMetadata("_hparams_/experiment").plugin_data.content)
        names = [info.name.tag for info in data.experiment.metric_infos]
        found.single = {name: found.steps[name][-1][1] for name in names}
    return found


def of_wandb(folder: Path) -> Logged:
    """Read a folder ``offline-run-...``."""
    found = Logged()
    (path,) = folder.glob("run-*.wandb")
    for record in _records(path.read_bytes()):
        if record.WhichOneof("record_type") == "run":
            found.group, found.tags = record.run.run_group, list(record.run.tags)
        found.parameters |= _items(record.config.update)
        found.single |= _items(record.summary.update)
        found.figures |= {file.path for file in record.files.files if file.path.endswith(".png")}
        row = _items(record.history.item)
        for name, value in row.items():
            if isinstance(value, int | float) and not name.startswith("_"):
                found.add(name, row["trainer/global_step"], value)
    return found


def _items(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def _records(data: bytes) -> Iterator[Any]:
    assert data[:4] == b":W&B"
    place, whole = 7, b""
    while place < len(data):
        left = _BLOCK - place % _BLOCK
        if left < _HEADER.size:
            place += left
            continue
        _, length, kind = _HEADER.unpack_from(data, place)
        place += _HEADER.size
        whole += data[place : place + length]
        place += length
        if kind in (1, 4):  # whole, or its last part
            yield wandb_internal_pb2.Record.FromString(whole)
            whole = b""
