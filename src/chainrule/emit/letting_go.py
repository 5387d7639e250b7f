"""Programs that give memory back while they run: those that compute again what they have not kept.

The one idea: Python and Numba free an array when its last name goes. NumPy source says so (`del Z1, A1`), Numba sees it by
itself, but there an array must not be asked for before its turn. Both work on the lines as they are, so that what was
written inside of another expression needs no special thought.

Other programs are left as they are: most are over before it matters, and a line for every array is a price to a reader.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

WORD = re.compile(r"(?<![\w.])[^\W\d]\w*")  # a name, not an attribute: the T of `X.T` is no array


def last_reads(lines: Sequence[str], arrays: Sequence[tuple[int, str]]) -> dict[tuple[int, str], int]:
    """For each (line where an array gets its name, name) the last line that reads it.

    A name may be given again, to what is computed again: then the earlier array is read up to there.

    >>> last_reads(["A = X @ W", "B = A + 1  # (N, 4)", "A = B * B", "return A"], [(0, "A"), (1, "B"), (2, "A")])
    {(0, 'A'): 1, (1, 'B'): 2, (2, 'A'): 3}
    """
    reads: dict[str, list[int]] = {}
    for place, line in enumerate(lines):
        code = "" if line.startswith("#") else line.partition("  # ")[0]
        for word in set(WORD.findall(code)):
            reads.setdefault(word, []).append(place)
    starts: dict[str, list[int]] = {}
    for place, name in arrays:
        starts.setdefault(name, []).append(place)
    result = {}
    for place, name in arrays:
        again = min((start for start in starts[name] if start > place), default=len(lines))
        result[place, name] = max(read for read in reads[name] if place <= read < again)
    return result


def with_deletions(lines: Sequence[str], arrays: Sequence[tuple[int, str]], returned: str) -> list[str]:
    """The lines, with `del` after the last one that reads an array; none at the end, where everything goes.

    >>> with_deletions(
    ...     ["A = X @ W", "B = A + 1", "C = B + B", "D = C * C"], [(0, "A"), (1, "B"), (2, "C"), (3, "D")], "D"
    ... )
    ['A = X @ W', 'B = A + 1', 'del A', 'C = B + B', 'del B', 'D = C * C']
    """
    ends: dict[int, list[str]] = {}
    for (_, name), last in last_reads([*lines, returned], arrays).items():
        if last < len(lines) - 1:
            ends.setdefault(last, []).append(name)
    result = []
    for place, line in enumerate(lines):
        result.append(line)
        if place in ends:
            result.append(f"del {', '.join(ends[place])}")
    return result


def with_allocations(allocations: Sequence[str], lines: Sequence[str], indent: str, *, late: bool) -> list[str]:
    """The lines of a function, each array asked for first of all or, late, before the first statement that has it.

    >>> with_allocations(["B = np.empty(3)"], ["  fill(A)", "  for i in range(2):", "    fill(B[i])"], "  ", late=True)
    ['  fill(A)', '  B = np.empty(3)', '  for i in range(2):', '    fill(B[i])']
    """
    if not late:
        return [*(indent + line for line in allocations), *lines]
    waiting = {line.partition(" = ")[0]: line for line in allocations}
    result: list[str] = []
    start = 0  # of the statement that the line belongs to
    for line in lines:
        if not line.startswith(indent + " "):
            start = len(result)
        for name in [name for name in dict.fromkeys(WORD.findall(line)) if name in waiting]:
            result.insert(start, indent + waiting.pop(name))
            start += 1
        result.append(line)
    return [*(indent + line for line in waiting.values()), *result]
