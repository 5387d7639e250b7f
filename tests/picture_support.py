"""A picture is read back: its boxes, texts, edges and lines, and what must hold for every one."""

import re
from dataclasses import dataclass
from itertools import combinations
from xml.etree import ElementTree as ET

from chainrule.show.pictures.svg import PITCH, SIZES, columns_of

NAMESPACE = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Rect:
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other):
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def inside(self, other):
        return (
            other.left <= self.left
            and self.right <= other.right
            and other.top <= self.top
            and self.bottom <= other.bottom
        )


class Picture:
    """What is drawn in an SVG."""

    def __init__(self, svg):
        self.root = ET.fromstring(svg)  # noqa: S314  our own text
        width, height = map(float, self.root.get("viewBox").split()[2:])
        self.view = Rect(0, 0, width, height)
        self.groups = list(self.root.iter(f"{NAMESPACE}g"))

    @property
    def nodes(self):
        """The group of each node."""
        return {g.get("data-node"): g for g in self.groups if g.get("class") == "node"}

    @property
    def boxes(self):
        """The rectangle of each node."""
        return {name: box_of(g) for name, g in self.nodes.items()}

    @property
    def edges(self):
        """Each edge with its forward and its backward group."""
        found = {}
        for g in self.groups:
            if g.get("class") == "edge":
                inner = dict.fromkeys(("forward", "backward"))
                inner |= {child.get("class"): child for child in g.findall(f"{NAMESPACE}g")}
                found[g.get("data-source"), g.get("data-target")] = inner
        return found

    @property
    def texts(self):
        """Each text with the rectangle that it may take at most."""
        return [(all_text(t), place_of(t)) for t in self.root.iter(f"{NAMESPACE}text")]

    @property
    def lines(self):
        """The points of each line, control points too."""
        return [points_of(p) for p in self.root.iter(f"{NAMESPACE}path")]


def all_text(element):
    return "".join(element.itertext())


def texts_of(element):
    """The texts in a group, without its title."""
    return [all_text(t) for t in element.iter(f"{NAMESPACE}text")]


def title_of(element):
    return element.find(f"{NAMESPACE}title").text


def box_of(group):
    rect, circle = group.find(f"{NAMESPACE}rect"), group.find(f"{NAMESPACE}circle")
    if rect is not None:
        x, y, width, height = (float(rect.get(key)) for key in ("x", "y", "width", "height"))
        return Rect(x, y, x + width, y + height)
    x, y, r = (float(circle.get(key)) for key in ("cx", "cy", "r"))
    return Rect(x - r, y - r, x + r, y + r)


def place_of(text):
    size = SIZES[text.get("class").split()[0]]
    width = columns_of(text.text or "") * PITCH * size
    for span in text:
        small = float(re.search(r"font-size:([\d.]+)px", span.get("style"))[1])
        width += columns_of(span.text) * PITCH * small
    x, y = float(text.get("x")), float(text.get("y"))
    left = {"start": x, "middle": x - width / 2, "end": x - width}[text.get("text-anchor")]
    return Rect(left, y - 0.75 * size, left + width, y + 0.1 * size)


def points_of(path):
    points, y = [], 0.0
    for command, numbers in re.findall(r"([MLHCZ])([^MLHCZ]*)", path.get("d")):
        values = [float(number) for number in numbers.split()]
        if command == "H":
            points.append((values[0], y))
        else:
            points += list(zip(values[::2], values[1::2], strict=True))
        if command != "Z":
            y = points[-1][1]
    return points


def check_picture(svg):
    """What holds for every picture; returns it."""
    picture = Picture(svg)
    assert picture.root.tag == f"{NAMESPACE}svg"
    assert picture.root.get("role") == "img"
    first, second = list(picture.root)[:2]
    assert (first.tag, second.tag) == (f"{NAMESPACE}title", f"{NAMESPACE}desc")
    assert first.text
    assert second.text
    style = picture.root.find(f"{NAMESPACE}style").text
    assert "prefers-color-scheme:dark" in style
    assert "<script" not in svg
    assert "href" not in re.sub(r">[^<]*<", "><", svg)
    assert all(element.get("id") is None for element in picture.root.iter())
    for (one, a), (other, b) in combinations(picture.boxes.items(), 2):
        assert not a.overlaps(b), f"the boxes of {one} and {other} overlap"
    for (one, a), (other, b) in combinations(picture.texts, 2):
        assert not a.overlaps(b), f"the texts {one!r} and {other!r} overlap"
    inner = {all_text(t): name for name, g in picture.nodes.items() for t in g.iter(f"{NAMESPACE}text")}
    for text, place in picture.texts:
        assert place.inside(picture.view), f"{text!r} lies outside of the picture"
        for name, box in picture.boxes.items():
            if text not in inner:
                assert not place.overlaps(box), f"{text!r} lies on {name}"
    for box in picture.boxes.values():
        assert box.inside(picture.view)
    for x, y in (point for line in picture.lines for point in line):
        assert 0 <= x <= picture.view.right
        assert 0 <= y <= picture.view.bottom
    return picture
