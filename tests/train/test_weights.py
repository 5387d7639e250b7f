"""A network's file: the same network back, the same bytes for the same network, and no damage goes unseen."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import nn
from chainrule.errors import ArgumentError, FileFormatError
from chainrule.train import load, load_metadata, save
from chainrule.train.weights import to_bytes

safetensors = pytest.importorskip("safetensors.numpy")

NETWORK = nn.mlp(4, 5, 3, activation="tanh", output="softmax", dtype="float32")
DATA = to_bytes(NETWORK, classes=["a", "ß"], zeros="0" * 64)


@pytest.mark.parametrize("layout", ["row", "column"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_network_comes_back(tmp_path, layout, dtype):
    network = nn.mlp(4, 5, 3, layout=layout, dtype=dtype)
    save(tmp_path / "net.safetensors", network)
    loaded = load(tmp_path / "net.safetensors")
    assert repr(loaded) == repr(network)
    for layer, expected in zip(loaded.layers, network.layers, strict=True):
        assert layer.W.tobytes() == expected.W.tobytes()
        assert (layer.b.dtype, layer.b.shape, layer.layout) == (expected.b.dtype, expected.b.shape, layout)
        layer.W[:] = 0  # it owns its memory


def test_metadata_comes_back(tmp_path):
    path = tmp_path / "net.safetensors"
    save(path, NETWORK, classes=["a", "ß"], mean=[0.1, 1e-300])
    assert load_metadata(path) == {"classes": ["a", "ß"], "mean": [0.1, 1e-300]}


def test_others_can_read_the_arrays(tmp_path):
    assert sorted(safetensors.load(DATA)) == ["layers[0].W", "layers[0].b", "layers[1].W", "layers[1].b"]


def test_same_network_same_bytes():
    assert to_bytes(NETWORK, classes=["a", "ß"], zeros="0" * 64) == DATA


def test_nothing_is_overwritten_unasked(tmp_path):
    path = tmp_path / "net.safetensors"
    save(path, NETWORK)
    with pytest.raises(ArgumentError, match="exists already"):
        save(path, nn.mlp(2, 2))
    assert load(path).layers[0].n_in == 4
    save(path, nn.mlp(2, 2), overwrite=True)
    assert load(path).layers[0].n_in == 2
    assert [file.name for file in tmp_path.iterdir()] == ["net.safetensors"]  # nothing temporary stays


@given(position=st.integers(0, len(DATA) - 1), bit=st.integers(0, 7))
def test_every_flipped_bit_is_found(tmp_path_factory, position, bit):
    damaged = bytearray(DATA)
    damaged[position] ^= 1 << bit
    path = tmp_path_factory.mktemp("damaged") / "net.safetensors"
    path.write_bytes(damaged)
    with pytest.raises(FileFormatError, match=r"net\.safetensors"):
        load(path)


@pytest.mark.parametrize("size", [0, 7, 8, 100, len(DATA) - 1])
def test_a_file_cut_short_is_found(tmp_path, size):
    (tmp_path / "net").write_bytes(DATA[:size])
    with pytest.raises(FileFormatError):
        load(tmp_path / "net")


def test_more_at_the_end_is_found(tmp_path):
    (tmp_path / "net").write_bytes(DATA + b"0")
    with pytest.raises(FileFormatError):
        load(tmp_path / "net")


def test_a_foreign_file_is_told_from_a_damaged_one(tmp_path):
    (tmp_path / "net").write_bytes(safetensors.save({"x": np.ones(3)}))
    with pytest.raises(FileFormatError, match="not a network that chainrule saved"):
        load(tmp_path / "net")


def forged(**changes):
    """A file with a right checksum and other content."""
    from chainrule.train import weights

    text = json.loads(json.loads(DATA[8 : 8 + int.from_bytes(DATA[:8], "little")])["__metadata__"]["chainrule"])
    text |= {"sha256": weights.NO_CHECKSUM, **changes}
    data = safetensors.save(safetensors.load(DATA), metadata={"chainrule": json.dumps(text)})
    return data.replace(weights.NO_CHECKSUM.encode(), weights._checksum(data).encode(), 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format 2"),
        ({"layers": [{"activation": "__import__('os')", "layout": "row"}] * 2}, "unknown"),
        ({"layers": [{"activation": "relu", "layout": "row"}]}, "belong to no layer"),
        ({"layers": [{"activation": "relu", "layout": "column"}] * 2}, "column layout"),
        ({"layers": [{"activation": "relu", "layout": "row"}] * 3}, "not a network"),
        ({"layers": 3}, "not a network"),
    ],
)
def test_a_right_checksum_is_no_licence(tmp_path, changes, message):
    (tmp_path / "net").write_bytes(forged(**changes))
    with pytest.raises(FileFormatError, match=message):
        load(tmp_path / "net")


def test_what_a_file_cannot_hold_is_refused_before_it_is_written(tmp_path):
    path = tmp_path / "net.safetensors"
    with pytest.raises(ArgumentError, match="function as activation"):
        save(path, nn.mlp(2, 3, 2, activation=np.tanh))
    with pytest.raises(ArgumentError, match="JSON"):
        save(path, NETWORK, mean=np.ones(3))
    with pytest.raises(ArgumentError, match="JSON"):
        save(path, NETWORK, mean=float("nan"))
    assert not any(tmp_path.iterdir())
