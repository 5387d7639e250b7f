"""A network in one file: safetensors for the arrays, JSON metadata for the rest, a checksum over every byte.

The one idea: the file is data. Loading reads numbers and names of known activations, and never runs code; a file that
is cut short, changed or foreign is refused with a `FileFormatError`.

>>> save("iris.safetensors", network, classes=["setosa", "versicolor", "virginica"])  # doctest: +SKIP
>>> network = load("iris.safetensors")  # doctest: +SKIP

The checksum is computed with its own 64 digits set to 0, so it covers the metadata that it stands in.
"""

from __future__ import annotations

import hashlib
import json
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ArgumentError, FileFormatError
from chainrule.nn import Dense, Network
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.layers import LAYOUTS
from chainrule.train.files import write_whole

FORMAT = 1
NO_CHECKSUM = "0" * 64
DTYPES = ("float16", "float32", "float64")


def save(path: str | PathLike[str], network: Network, *, overwrite: bool = False, **metadata: Any) -> None:
    """Write a network and what belongs to it.

    Parameters
    ----------
    path : path
        Usually ``*.safetensors``; written whole or not at all.
    network : Network
        Of `Dense` layers whose activations are names.
    overwrite : bool
        Whether an existing file may be replaced.
    **metadata
        Anything that JSON can hold: names of classes, means of columns.

    Raises
    ------
    ArgumentError
        The file exists, or the network or metadata hold something that a file cannot.
    """
    write_whole(Path(path), to_bytes(network, **metadata), overwrite)


def load(path: str | PathLike[str]) -> Network:
    """Read a network that `save` wrote.

    Raises
    ------
    FileFormatError
        The file is damaged, or not one of ours.
    """
    return _read(path)[0]


def load_metadata(path: str | PathLike[str]) -> dict[str, Any]:
    """The metadata that was saved with a network; the whole file is verified."""
    return _read(path)[1]


def to_bytes(network: Network, **metadata: Any) -> bytes:
    """The content of the file: the same network and metadata give the same bytes."""
    tensors, layers = {}, []
    for i, layer in enumerate(_require_dense(network)):
        for name in ("W", "b"):
            tensors[f"layers[{i}].{name}"] = np.ascontiguousarray(getattr(layer, name))
        layers.append({"activation": layer.activation, "layout": layer.layout})
    # The checksum stands before anything that the caller chose, so the first 64 zeros in the file are its place.
    description = {"format": FORMAT, "sha256": NO_CHECKSUM, "layers": layers, "metadata": metadata}
    try:
        text = json.dumps(description, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"the metadata cannot be written as JSON ({error}): give lists, numbers and text") from None
    # One key only: safetensors keeps its metadata in a hash map, whose order would differ from run to run.
    data: bytes = _safetensors().save(tensors, metadata={"chainrule": text})
    return data.replace(NO_CHECKSUM.encode(), _checksum(data).encode(), 1)


def _read(path: str | PathLike[str]) -> tuple[Network, dict[str, Any]]:
    data, safetensors = Path(path).read_bytes(), _safetensors()
    try:
        description = _describe(data)
        tensors = safetensors.load(data)
        return _build(description["layers"], tensors), description["metadata"]
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error}") from None
    except Exception as error:  # noqa: BLE001 - safetensors has its own classes; any damage is said in one way
        raise FileFormatError(f"{path}: not a network that can be read ({error})") from None


def _describe(data: bytes) -> dict[str, Any]:
    """The JSON description, once the checksum is right."""
    start, size = 8, int.from_bytes(data[:8], "little")
    if not 0 < size <= len(data) - start:
        raise FileFormatError("not a safetensors file, or cut short")
    try:
        header = json.loads(data[start : start + size])
        description: dict[str, Any] = json.loads(header["__metadata__"]["chainrule"])
        digest = description["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FileFormatError("not a network that chainrule saved, or damaged") from None
    if _checksum(data.replace(str(digest).encode(), NO_CHECKSUM.encode(), 1)) != digest:
        raise FileFormatError("damaged: its checksum does not fit its content")
    if description["format"] != FORMAT:
        raise FileFormatError(f"format {description['format']}, but this version of chainrule reads format {FORMAT}")
    return description


def _build(layers: list[dict[str, str]], tensors: dict[str, np.ndarray]) -> Network:
    """The network, each of its facts checked: a right checksum says who wrote a file only by accident."""
    built = []
    for i, layer in enumerate(layers):
        activation, layout = layer["activation"], layer["layout"]
        if activation not in ACTIVATIONS or layout not in LAYOUTS:
            raise FileFormatError(f"layer {i} is unknown to this version: activation {activation!r}, layout {layout!r}")
        # Copies, for what safetensors gives is a read-only view of the file's bytes.
        W, b = (tensors.pop(f"layers[{i}].{name}").copy() for name in ("W", "b"))
        bias_shape = (W.shape[1],) if layout == "row" else (W.shape[0], 1)
        if W.ndim != 2 or b.shape != bias_shape or str(W.dtype) not in DTYPES or W.dtype != b.dtype:
            raise FileFormatError(f"layer {i}: W is {W.dtype}{W.shape} and b is {b.dtype}{b.shape} in {layout} layout")
        built.append(Dense(W, b, activation, layout))
    if tensors:
        raise FileFormatError(f"arrays that belong to no layer: {', '.join(sorted(tensors))}")
    return Network(tuple(built))


def _require_dense(network: Network) -> tuple[Dense, ...]:
    for i, layer in enumerate(network.layers):
        if not isinstance(layer, Dense):
            raise ArgumentError(f"layer {i} is a {type(layer).__name__}: only networks of Dense layers can be saved")
        if not isinstance(layer.activation, str):
            raise ArgumentError(f"layer {i} has a function as activation: only a name can be saved, such as 'relu'")
        if str(layer.W.dtype) not in DTYPES:
            raise ArgumentError(f"layer {i} has weights of {layer.W.dtype}: {', '.join(DTYPES)} can be saved")
    return network.layers


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _safetensors() -> Any:
    try:
        return import_module("safetensors.numpy")
    except ImportError:
        raise ArgumentError("saving and loading need safetensors: pip install 'chainrule[train]'") from None
