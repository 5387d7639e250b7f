"""A place for every node of a graph without cycles: columns from left to right, few crossings, straight edges.

The one idea: an edge that passes a column gets a place there (a virtual node). So edges bend only in the gaps
between columns, where no box stands, and a label is a virtual node with a size: nothing can lie on anything else.

    layout = arrange({"a": Size(40, 30), "c": Size(40, 30)}, [Link("a", "c")])
    layout.boxes["c"].x, layout.routes[0]

Four steps, each of them a loop: ranks by longest path, order in the columns by median sweeps that keep the best order
seen, heights by least squares under the order, coordinates. The same graph gives the same layout everywhere.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from chainrule.errors import GraphError

SWEEPS = 12  # of medians, and of least squares
GAP, WIDEST_GAP = 34.0, 90.0  # between columns; more where edges climb
ROOM = 18.0  # between two nodes of a column
LANE = 14.0  # between two edges that pass a column
PORTS = 16.0  # between two edges at a node, at most


@dataclass(frozen=True, slots=True)
class Size:
    """What a node or a label needs, in pixels."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Link:
    """An edge, with the size of its label if it has one."""

    source: str
    target: str
    label: Size | None = None


@dataclass(slots=True)
class Box:
    """A rectangle by its centre."""

    x: float
    y: float
    width: float
    height: float


@dataclass
class Layout:
    """Where everything is.

    Attributes
    ----------
    boxes : dict
        The rectangle of each node.
    routes : list of list of points
        Of each link, in order: from the source's right side to the target's left side; horizontal across the columns.
    labels : list of Box or None
        Of each link; its centre lies on the route, which is horizontal there.
    crossings : int
    """

    boxes: dict[str, Box] = field(default_factory=dict)
    routes: list[list[tuple[float, float]]] = field(default_factory=list)
    labels: list[Box | None] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0
    crossings: int = 0


@dataclass(slots=True)
class _Spot:
    """A node or a virtual node: its column, its size, its neighbours to the left and right, its height on the sheet."""

    rank: int
    width: float
    height: float
    virtual: bool
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    y: float = 0.0


def arrange(nodes: Mapping[str, Size], links: Sequence[Link]) -> Layout:
    """Lay a graph out from left to right.

    Parameters
    ----------
    nodes : mapping of name to Size
        Their order decides between equals.
    links : sequence of Link
        Between these nodes; several may have the same ends.

    Raises
    ------
    GraphError
        If the links close a circle.

    Examples
    --------
    >>> box = Size(40, 30)
    >>> layout = arrange(dict.fromkeys("abcd", box), [Link("a", "b"), Link("a", "c"), Link("b", "d"), Link("c", "d")])
    >>> layout.boxes["a"].y == layout.boxes["d"].y, layout.boxes["b"].x == layout.boxes["c"].x, layout.crossings
    (True, True, 0)
    """
    step = 2 if any(link.label for link in links) else 1  # labels have columns of their own
    ranks = rank(list(nodes), links, step)
    spots = [_Spot(ranks[name], size.width, size.height, False) for name, size in nodes.items()]
    number = {name: place for place, name in enumerate(nodes)}
    ways: list[list[int]] = []
    labelled: list[int | None] = []
    lanes: dict[tuple[int, int], int] = {}
    for link in links:
        way, label = _way(spots, lanes, number[link.source], number[link.target], link.label)
        ways.append(way)
        labelled.append(label)
    columns: list[list[int]] = [[] for _ in range(max((s.rank for s in spots), default=-1) + 1)]
    for place, spot in enumerate(spots):
        columns[spot.rank].append(place)
    crossings = _order(spots, columns)
    _heights(spots, columns)
    return _coordinates(list(nodes), links, spots, columns, ways, labelled, crossings)


def rank(nodes: Sequence[str], links: Sequence[Link], step: int = 1) -> dict[str, int]:
    """The column of each node: the longest way to it; what lengthens nothing by it moves right, to its consumers.

    These are the inputs, what is made of such nodes alone, and nodes with more edges leaving than entering.
    """
    leaving: dict[str, list[str]] = {name: [] for name in nodes}
    entering = dict.fromkeys(nodes, 0)
    for link in links:
        leaving[link.source].append(link.target)
        entering[link.target] += 1
    waiting = dict(entering)
    ready = [name for name in nodes if not waiting[name]]
    ranks = dict.fromkeys(nodes, 0)
    for name in ready:  # it grows while it is walked
        for target in leaving[name]:
            ranks[target] = max(ranks[target], ranks[name] + step)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    if len(ready) < len(nodes):
        raise GraphError(f"these nodes lie on a circle: {', '.join(sorted(set(nodes) - set(ready))[:20])}")
    loose = dict.fromkeys(nodes, True)
    for name in ready:
        for target in leaving[name]:
            loose[target] &= loose[name] and len(leaving[name]) == 1
    for name in reversed(ready):
        if len(leaving[name]) > entering[name] or (loose[name] and leaving[name]):
            ranks[name] = min(ranks[target] for target in leaving[name]) - step
    first = min(ranks.values(), default=0)
    return {name: found - first for name, found in ranks.items()}


def _way(
    spots: list[_Spot], lanes: dict[tuple[int, int], int], source: int, target: int, label: Size | None
) -> tuple[list[int], int | None]:
    """Give an edge a virtual node in every column that it passes; the label takes the one in the middle.

    Edges without labels share those of other edges from the same source: weights that every step of a loop reads
    run along the loop in one lane and branch off.
    """
    passed = range(spots[source].rank + 1, spots[target].rank)
    half = len(passed) // 2
    middle = passed[half - half % 2] if label else None  # of the columns for labels: every other one, from the first
    way, bearer = [source], None
    for column in passed:
        place = lanes.get((source, column)) if label is None else None
        if place is None:
            place = len(spots)
            spots.append(_Spot(column, 0.0, LANE, True))
            if label is None:
                lanes[source, column] = place
            elif column == middle:
                bearer, spots[place].width, spots[place].height = place, label.width, label.height
        way.append(place)
    way.append(target)
    for here, there in pairwise(way):
        if there not in spots[here].right:
            spots[here].right.append(there)
            spots[there].left.append(here)
    return way, bearer


# -- order ---------------------------------------------------------------------------------------------------------
def _order(spots: list[_Spot], columns: list[list[int]]) -> int:
    """Sweep medians forwards and backwards; the best order seen is left in the columns."""
    best, fewest = [list(column) for column in columns], _crossings(spots, columns)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        forwards = sweep % 2 == 0
        place = {spot: at for column in columns for at, spot in enumerate(column)}
        for column in columns if forwards else reversed(columns):
            keys = {}
            for spot in column:
                neighbours = sorted(place[n] for n in (spots[spot].left if forwards else spots[spot].right))
                keys[spot] = (_median(neighbours), place[spot]) if neighbours else (float(place[spot]), place[spot])
            column.sort(key=keys.__getitem__)
            place.update({spot: at for at, spot in enumerate(column)})
        _transpose(spots, columns, place)
        found = _crossings(spots, columns)
        if found < fewest:
            best, fewest = [list(column) for column in columns], found
    for column, order in zip(columns, best, strict=True):
        column[:] = order
    return fewest


def _median(places: Sequence[int]) -> float:
    middle = len(places) // 2
    return float(places[middle]) if len(places) % 2 else (places[middle - 1] + places[middle]) / 2


def _transpose(spots: list[_Spot], columns: list[list[int]], place: dict[int, int]) -> None:
    """Swap neighbours wherever that saves a crossing."""
    for column in columns:
        for at in range(len(column) - 1):
            upper, lower = column[at], column[at + 1]
            now = swapped = 0
            for side in ("left", "right"):
                above = sorted(place[n] for n in getattr(spots[upper], side))
                below = sorted(place[n] for n in getattr(spots[lower], side))
                now += _inversions(above, below)
                swapped += _inversions(below, above)
            if swapped < now:
                column[at], column[at + 1] = lower, upper
                place[upper], place[lower] = at + 1, at


def _inversions(above: list[int], below: list[int]) -> int:
    """How many pairs cross when `above` are the neighbours of the upper node; both are sorted."""
    return sum(len(above) - bisect_right(above, end) for end in below)


def _crossings(spots: list[_Spot], columns: list[list[int]]) -> int:
    place = {spot: at for column in columns for at, spot in enumerate(column)}
    total = 0
    for column in columns:
        ends: list[int] = []
        for spot in column:
            mine = sorted(place[n] for n in spots[spot].right)
            total += sum(len(ends) - bisect_right(ends, end) for end in mine)
            for end in mine:
                insort(ends, end)
    return total


# -- coordinates -----------------------------------------------------------------------------------------------------
def _heights(spots: list[_Spot], columns: list[list[int]]) -> None:
    """Draw every node towards its neighbours, forwards and backwards, at last to both sides at once."""
    for column in columns:
        _settle(spots, column, dict.fromkeys(column, 0.0))
    for sweep in range(SWEEPS):
        sides = "both" if sweep >= SWEEPS - 4 else "left" if sweep % 2 == 0 else "right"
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wanted = {}
            for spot in column:
                s = spots[spot]
                neighbours = s.left + s.right if sides == "both" else getattr(s, sides) or s.left + s.right
                # an edge between two virtual nodes pulls harder: long edges should be straight
                pulls = [(spots[n].y, 4 if s.virtual and spots[n].virtual else 1) for n in neighbours]
                weight = sum(w for _, w in pulls)
                wanted[spot] = sum(y * w for y, w in pulls) / weight if weight else s.y
            _settle(spots, column, wanted)


def _settle(spots: list[_Spot], column: list[int], wanted: dict[int, float]) -> None:
    """The heights nearest to the wanted ones (least squares) that keep order and distance: pool adjacent violators."""
    offsets, below = [], 0.0
    for at, spot in enumerate(column):
        if at:
            above = spots[column[at - 1]]
            room = LANE if above.virtual and spots[spot].virtual else ROOM
            below += (above.height + spots[spot].height) / 2 + room
        offsets.append(below)
    pools: list[tuple[float, int]] = []  # (mean, how many)
    for spot, offset in zip(column, offsets, strict=True):
        mean, count = wanted[spot] - offset, 1
        while pools and pools[-1][0] > mean:
            other, many = pools.pop()
            mean, count = (mean * count + other * many) / (count + many), count + many
        pools.append((mean, count))
    heights = [mean for mean, count in pools for _ in range(count)]
    for spot, height, offset in zip(column, heights, offsets, strict=True):
        spots[spot].y = height + offset


def _coordinates(
    names: list[str],
    links: Sequence[Link],
    spots: list[_Spot],
    columns: list[list[int]],
    ways: list[list[int]],
    labelled: list[int | None],
    crossings: int,
) -> Layout:
    layout = Layout(crossings=crossings)
    top = min((s.y - s.height / 2 for s in spots), default=0.0)
    for spot in spots:
        spot.y -= top
    layout.height = max((s.y + s.height / 2 for s in spots), default=0.0)
    sides = []  # the left and right end of each column
    x = 0.0
    for column in columns:
        width = max((spots[s].width for s in column), default=0.0)
        climb = max((abs(spots[s].y - spots[n].y) for s in column for n in spots[s].right), default=0.0)
        sides.append((x, x + width))
        layout.width = x + width
        x += width + min(WIDEST_GAP, GAP + climb / 5)
    for name, spot in zip(names, spots, strict=False):
        left, right = sides[spot.rank]
        layout.boxes[name] = Box((left + right) / 2, spot.y, spot.width, spot.height)
    leaving = _ports(spots, ways, 0)
    entering = _ports(spots, ways, -1)
    for place, (link, way) in enumerate(zip(links, ways, strict=True)):
        source, target = layout.boxes[link.source], layout.boxes[link.target]
        start, end = leaving[place], entering[place]
        points = [(source.x + source.width / 2, start), (sides[spots[way[0]].rank][1], start)]
        for virtual in way[1:-1]:
            points += [(side, spots[virtual].y) for side in sides[spots[virtual].rank]]
        points += [(sides[spots[way[-1]].rank][0], end), (target.x - target.width / 2, end)]
        layout.routes.append([p for at, p in enumerate(points) if not at or p != points[at - 1]])
        bearer = labelled[place]
        label = None
        if bearer is not None:
            left, right = sides[spots[bearer].rank]
            label = Box((left + right) / 2, spots[bearer].y, spots[bearer].width, spots[bearer].height)
        layout.labels.append(label)
    return layout


def _ports(spots: list[_Spot], ways: list[list[int]], end: int) -> list[float]:
    """The height at which each edge meets the node at that end, in the order in which the edges arrive."""
    towards = 1 if end == 0 else -2
    meeting: dict[int, set[int]] = {}
    for way in ways:
        meeting.setdefault(way[end], set()).add(way[towards])
    heights: dict[tuple[int, int], float] = {}
    for node, neighbours in meeting.items():
        apart = min(PORTS, max(spots[node].height - 12, 0.0) / max(len(neighbours) - 1, 1))
        for at, neighbour in enumerate(sorted(neighbours, key=lambda n: (spots[n].y, n))):
            heights[node, neighbour] = spots[node].y + (at - (len(neighbours) - 1) / 2) * apart
    return [heights[way[end], way[towards]] for way in ways]
