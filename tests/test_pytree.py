"""Trees of arguments: flattened in a fixed order, put together again, with paths as Python writes them."""

import collections
import dataclasses
import threading

import numpy as np
import pytest

from chainrule.errors import ArgumentError
from chainrule.pytree import LEAF, flatten, leaf_paths, tree_map, unflatten

Point = collections.namedtuple("Point", "x y")  # noqa: PYI024


@dataclasses.dataclass(frozen=True)
class Layer:
    W: object
    b: object
    name: str = "dense"


@dataclasses.dataclass
class Slotted:
    __slots__ = ("a", "b")
    a: object
    b: object


TREES = {
    "a number": 1.5,
    "an array": np.ones(2),
    "a list": [1.0, [2.0, (3.0,)]],
    "a dict": {"b": 1.0, "a": 2.0},
    "a dict of mixed keys": {1: 1.0, "a": 2.0},
    "an ordered dict": collections.OrderedDict(b=1.0, a=2.0),
    "a namedtuple": Point(1.0, [2.0]),
    "a dataclass": Layer(np.ones(2), np.zeros(1)),
    "slots": Slotted(1.0, 2.0),
    "nested": {"layers": [Layer(1.0, 2.0, "first"), Layer(3.0, Point(4.0, None), "second")], "rate": 0.1},
    "statics": {"on": True, "off": False, "text": "s", "none": None, "call": np.tanh, "class": int, "x": 1.0},
    "nothing": [],
    "nothing deep": {"a": [], "b": {}},
}


@pytest.mark.parametrize("name", TREES)
def test_round_trip(name):
    tree = TREES[name]
    leaves, structure = flatten(tree)
    again = unflatten(structure, leaves)
    assert type(again) is type(tree)
    assert repr(again) == repr(tree)
    assert len(leaf_paths(tree)) == len(leaves)


@pytest.mark.parametrize("name", TREES)
def test_paths_lead_to_the_leaves(name):
    tree = TREES[name]
    leaves, _ = flatten(tree)
    for path, leaf in zip(leaf_paths(tree, "tree"), leaves, strict=True):
        assert eval(path, {"tree": tree}) is leaf  # noqa: S307


def test_paths_read_as_python():
    assert leaf_paths({"W": [1.0, 2.0]}, "params") == ["params['W'][0]", "params['W'][1]"]
    assert leaf_paths([Layer(1.0, 2.0)], "layers") == ["layers[0].W", "layers[0].b"]
    assert leaf_paths(Point(1.0, (2.0,)), "p") == ["p.x", "p.y[0]"]
    assert leaf_paths(1.0, "x") == ["x"]


def test_structures_are_keys():
    one, two = flatten({"a": 1.0, "mode": "relu"})[1], flatten({"a": 5.0, "mode": "relu"})[1]
    other = flatten({"a": 1.0, "mode": "tanh"})[1]
    assert one == two
    assert hash(one) == hash(two)
    assert one != other
    assert flatten(1.0)[1] is LEAF
    assert flatten({"a": 1.0, "b": True})[1] != flatten({"a": 1.0, "b": False})[1]


def test_statics_are_no_leaves():
    leaves, _ = flatten(TREES["statics"])
    assert leaves == [1.0]
    assert leaf_paths(TREES["statics"], "t") == ["t['x']"]


def test_numbers_and_numpy_scalars_are_leaves():
    leaves, _ = flatten([1, 2.0, np.float32(3), np.int64(4), np.ones(())])
    assert len(leaves) == 5


def test_tree_map():
    assert tree_map(lambda p, g: p - 2 * g, {"W": 3.0, "b": [1.0]}, {"W": 1.0, "b": [0.5]}) == {"W": 1.0, "b": [0.0]}
    layer = tree_map(lambda p: p * 2, Layer(1.0, 2.0, "kept"))
    assert layer == Layer(2.0, 4.0, "kept")
    with pytest.raises(ArgumentError, match="different structure"):
        tree_map(lambda a, b: a, {"a": 1.0}, {"a": 1.0, "b": 2.0})


def test_tree_map_refuses_other_structures_of_as_many_leaves():
    with pytest.raises(ArgumentError, match="different structure"):
        tree_map(lambda a, b: a + b, {"a": 1.0, "b": 2.0}, {"a": 1.0, "c": 2.0})
    with pytest.raises(ArgumentError, match="different structure"):
        tree_map(lambda a, b: a + b, [1.0, [2.0]], [[1.0], 2.0])


def test_a_dataclass_is_built_without_calling_it():
    @dataclasses.dataclass
    class Checked:
        a: object

        def __post_init__(self):
            if not isinstance(self.a, float):
                raise TypeError("a float, please")

    _, structure = flatten(Checked(1.0))
    assert unflatten(structure, ["anything"]).a == "anything"


def test_dataclasses_are_registered_once_from_many_threads():
    @dataclasses.dataclass
    class Fresh:
        a: object

    errors = []

    def work():
        try:
            assert flatten([Fresh(1.0), Fresh(2.0)])[0] == [1.0, 2.0]
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
