"""Fitted maps as safetensors: their arrays in float64, and in the metadata what they are and where they came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from relcli._version import versions
from relcli.errors import FormatError, UsageError
from relcli.files import atomic_path, existing, reading
from relcli.spaces.translation import SCALINGS, TRANSLATORS, Translation

#: major.minor of what a map's file says of itself; an added key is a minor step.
MAP_VERSION = "1.0"

KIND = "relcli-map"
SUFFIX = ".safetensors"

_ARRAYS = ("mean_x", "matrix", "spread_y", "mean_y")
_NUMBERS = ("length", "penalty")
_OWN = ("kind", "schema_version", "method", "scaling", "dx", "dy", "relcli_versions", *_NUMBERS)


@dataclass(frozen=True)
class SavedMap:
    """A map as a file holds it: `provenance` is what was known of its making, `path` where it lies."""

    translation: Translation
    provenance: dict[str, str] = field(default_factory=dict)
    path: str = ""


def check_map_path(path: str | Path) -> None:
    """Raise UsageError unless the name of a map to be written ends as it must."""
    if Path(path).suffix.lower() != SUFFIX:
        raise UsageError(f"{path} names no map: they are written as {SUFFIX}. Call it {Path(path).stem}{SUFFIX}.")


def save_map(path: str | Path, translation: Translation, provenance: Mapping[str, str] | None = None) -> None:
    """
    Write a map whole or not at all; equal maps and provenances give equal bytes.

    `provenance` are texts by name: anchors_sha256, source, source_sha256, target, target_sha256 and the like.
    """
    check_map_path(path)
    metadata = {
        **{str(name): str(text) for name, text in (provenance or {}).items()},
        "kind": KIND,
        "schema_version": MAP_VERSION,
        "method": translation.method,
        "scaling": translation.scaling,
        "dx": str(translation.dx),
        "dy": str(translation.dy),
        "relcli_versions": json.dumps(versions()),
        # as hexadecimal, which loses no bit
        **{name: value.hex() for name in _NUMBERS if (value := getattr(translation, name)) is not None},
    }
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    blocks, offset = [], 0
    for name in _ARRAYS:
        array = np.ascontiguousarray(getattr(translation, name), "<f8")
        header[name] = {"dtype": "F64", "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        blocks.append(array)
        offset += array.nbytes
    # written here because the library gives metadata in another order every time
    head = json.dumps(header, ensure_ascii=False).encode("utf-8", "backslashreplace")
    head += b" " * (-len(head) % 8)
    with atomic_path(path) as target, open(target, "wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        for block in blocks:
            file.write(block.data)


def load_map(path: str | Path) -> SavedMap:
    """Return the map that `save_map` wrote, bit for bit."""
    from safetensors import safe_open

    path = existing(path)
    with reading(path, "a map in safetensors"), safe_open(path, framework="numpy") as file:
        metadata = dict(file.metadata() or {})
        _check_kind(path, metadata, list(file.keys()))
        arrays = {name: file.get_tensor(name) for name in _ARRAYS}
        numbers = {name: float.fromhex(metadata[name]) for name in _NUMBERS if name in metadata}
        told: dict[str, Any] = {"method": metadata["method"], "scaling": metadata["scaling"], **numbers, **arrays}
        translation = Translation(**told)
        _check_arrays(path, translation)
    provenance = {name: text for name, text in metadata.items() if name not in _OWN}
    return SavedMap(translation, provenance, str(path))


def _check_kind(path: Path, metadata: Mapping[str, str], tensors: list[str]) -> None:
    if metadata.get("kind") != KIND:
        raise FormatError(
            f"{path} is a safetensors file but no map: it holds {', '.join(map(repr, sorted(tensors)[:5]))} and does "
            "not say that relcli fitted it. Give what relcli translate fit wrote."
        )
    written = metadata.get("schema_version", "")
    major, newest = written.partition(".")[0], MAP_VERSION.partition(".")[0]
    if major != newest:
        raise UsageError(
            f"{path} is a map of schema {written or 'unknown'}, and this relcli reads {newest}.x. Install the relcli "
            "that wrote it, or fit the map again."
        )
    for name, known in (("method", TRANSLATORS), ("scaling", SCALINGS)):
        if metadata.get(name) not in known:
            raise FormatError(
                f"{path} is a map whose {name} {metadata.get(name)!r} is none of {', '.join(known)}. Fit it again, or "
                "install the relcli that wrote it."
            )
    missing = [name for name in _ARRAYS if name not in tensors]
    if missing:
        raise FormatError(f"{path} is a map without {', '.join(missing)}: it is damaged. Fit it again.")


def _check_arrays(path: Path, translation: Translation) -> None:
    shapes = {name: list(getattr(translation, name).shape) for name in _ARRAYS}
    matrix = shapes["matrix"]
    whole = len(matrix) == 2 and all(matrix) and shapes["mean_x"] == matrix[:1]
    if not whole or not shapes["spread_y"] == shapes["mean_y"] == matrix[1:]:
        raise FormatError(f"{path} is a map whose arrays do not fit each other: {shapes}. Fit it again.")
    odd = [name for name in _ARRAYS if getattr(translation, name).dtype != np.float64]
    if odd or not all(np.isfinite(getattr(translation, name)).all() for name in _ARRAYS):
        raise FormatError(f"{path} is a map whose numbers are not all finite float64: it is damaged. Fit it again.")
