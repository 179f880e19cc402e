"""Reading checkpoints: what a file says of its sizes is checked before memory is allocated for it."""

from __future__ import annotations

import io
import pickletools
import zipfile
from _compat_pickle import IMPORT_MAPPING
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._weights_only_unpickler import Unpickler, _get_allowed_globals

from brainage.system.files import open_file

# What torch writes for tensors and plain values. Its weights-only reader also calls others, which allocate as much as
# they are asked for, such as `bytearray` and `torch.Tensor`.
_CALLED = frozenset(
    ("collections.OrderedDict", "collections.Counter", "torch.Size", "torch.device", "_codecs.encode", "builtins.set")
    + ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter")
    + ("builtins.complex", "torch.serialization._get_layout")
)
# Bytes of the pickle, which has names, shapes and plain values.
_PICKLE = 16 * 2**20


def read_archive(path: Path, check: Callable[[Any, int], object], *, tensors: bool = True, follow: bool = False) -> Any:
    """Read a checkpoint: tensors and plain values only, and no more bytes than the file has.

    Parameters
    ----------
    path : Path
        A file that `torch.save` has written, in the format since torch 1.6.
    check : callable
        Called before the tensors are read, with the content, whose tensors are on the meta device, and with the
        file's size in bytes.
    tensors : bool, default=True
        Whether the tensors are read; otherwise they stay on the meta device.
    follow : bool, default=False
        Whether the file may be a link.

    Raises
    ------
    OSError, ValueError, zipfile.BadZipFile, pickle.UnpicklingError, ...
        It is none; torch's reader raises many kinds.
    """
    with open_file(path, "rb", follow=follow) as file, zipfile.ZipFile(file) as archive:
        size = file.seek(0, io.SEEK_END)
        records = {info.filename: info.file_size for info in archive.infolist()}
        stored = all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
        if not stored or len(records) < len(archive.infolist()) or sum(records.values()) > size:
            raise ValueError("its records are compressed, repeated, or larger than the file")
        [name] = [name for name in records if name.endswith("/data.pkl")]
        if records[name] > _PICKLE:
            raise ValueError(f"its pickle has {records[name]:,} bytes; at most {_PICKLE:,} are read")
        data = archive.read(name)
    outline = _outline(data, records, name.removesuffix("data.pkl"))
    check(outline, size)
    return torch.load(path, map_location="cpu", weights_only=True) if tensors else outline


def _outline(data: bytes, records: dict[str, int], prefix: str) -> Any:
    """Return the content of a checkpoint with tensors on the meta device, which have no memory."""
    allowed = _get_allowed_globals()
    for name in _globals_of(data):
        if callable(allowed.get(name)) and name not in _CALLED:
            raise ValueError(f"it calls {name}")
    unpickler: Any = Unpickler(io.BytesIO(data), encoding="utf-8")
    unpickler.persistent_load = lambda saved: _storage(saved, records, prefix)
    content = unpickler.load()
    for tensor in _tensors(content):
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise ValueError("a tensor has more numbers than the file")
    return content


def _globals_of(data: bytes) -> Iterator[str]:
    for code, argument, _ in pickletools.genops(data):
        if code.name in ("GLOBAL", "INST"):
            module, _, name = str(argument).partition(" ")
            yield f"{IMPORT_MAPPING.get(module, module)}.{name}"


def _storage(saved: Any, records: dict[str, int], prefix: str) -> Any:
    """Return a storage without memory; raise a ValueError unless the file has as many bytes for it as it says."""
    _, kind, key, _, n_elements = saved
    element = torch.empty((), dtype=kind.dtype).element_size()
    if type(n_elements) is not int or records.get(f"{prefix}data/{key}") != n_elements * element:
        raise ValueError(f"the tensor {key} has {n_elements} numbers, but the file has another number of bytes for it")
    empty: Any = torch.empty(n_elements, dtype=kind.dtype, device="meta")
    return empty._typed_storage()


def _tensors(content: Any) -> Iterator[Tensor]:
    """Yield all tensors in dicts, lists and tuples, however deep, each container once."""
    seen, waiting = set(), [content]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Tensor):
            yield item
        elif isinstance(item, dict | list | tuple) and id(item) not in seen:
            seen.add(id(item))
            waiting += item.values() if isinstance(item, dict) else item
