"""The mend of a backward pass: which line is wrong, and what would stand there if it were right.

The one idea: a line is mended if the function, with that line changed and nothing else, returns what it should. So small
edits of the lines that ran are tried, the likeliest first, each by compiling and running the changed function on copies;
whoever asks says what "right" is. The user's function is never changed.
"""

from __future__ import annotations

import ast
import contextlib
import io
import sys
import textwrap
import time
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.diagnosis.activations import same
from chainrule.diagnosis.changes import Sight, stem
from chainrule.diagnosis.edits import Edit, edits_of, in_each
from chainrule.diagnosis.rebuilding import Program, Source
from chainrule.diagnosis.rewriting import rewritten
from chainrule.diagnosis.watching import Assignment, paths, watch

LONGEST_AXIS = 4096  # beyond it, no edit is tried that may pair every sample with every other
MOST_EDITS = 20_000
NEIGHBOUR = 0.4  # how much less likely a line is for each line that it is away from the suspect
OTHER_LINES = 4.0  # and for not being the suspect

Accepts = Callable[[Any], bool]


@dataclass(frozen=True)
class Mend:
    """A line of the user's, and what is to stand there.

    Attributes
    ----------
    file, function, line : str, str, int
        Where.
    old : str
        The line, or lines, as they are, without indentation.
    new : str or None
        As they should be; empty if they should go; None if only the place is known.
    diff : str
        The change as a unified diff with two lines of context.
    words : tuple of str
        What such a change mends.
    function_after : callable or None
        The corrected backward pass. It works on copies, and the user's own is as it was.
    """

    file: str
    function: str
    line: int
    old: str
    new: str | None = None
    diff: str = ""
    words: tuple[str, ...] = ()
    function_after: Callable[..., Any] | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        place = f"{self.file.rsplit('/', 1)[-1]}, line {self.line}, in {self.function}()"
        return f"{place}:\n{self.diff}" if self.new is not None else f"{place}: {self.old}"


def find_mend(
    backward: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    accepts: Accepts,
    *,
    words: Sequence[str] = (),
    wrong: Any = None,
    right: Any = None,
    suggestions: Sequence[str] = (),
    confirm: Callable[[Callable[..., Any]], bool] | None = None,
    seconds: float = 3.0,
) -> Mend | None:
    """Find the one line of a backward pass that can be changed so that its result is accepted.

    Parameters
    ----------
    backward : callable
        The user's function, or method; also one that calls helpers of the same module.
    args, kwargs
        What it is called with; small arrays make the search quick.
    accepts : callable
        `accepts(result) -> bool`: whether what the changed function returns is what it should.
    words : sequence of str, optional
        What is known to be wrong, in words of the vocabulary: edits that mend it are tried first.
    wrong, right : ndarray, optional
        The first wrong quantity, and what it should be: they tell the line.
    suggestions : sequence of str, optional
        Expressions that may stand on the right-hand side.
    confirm : callable, optional
        `confirm(function_after) -> bool`, asked once an edit is accepted: whether the changed function is right at other
        arguments too. If not, the search goes on.
    seconds : float
        How long to search, in seconds.

    Returns
    -------
    Mend or None
        With `new` None if the line was found and no edit was accepted; None if nothing was found, or there is no source.

    Examples
    --------
    >>> def backward(A, dZ):
    ...     dW = A.T @ dZ
    ...     return dW, dZ
    >>> A, dZ = np.ones((3, 2)), np.ones((3, 1))
    >>> mend = find_mend(backward, (A, dZ), {}, lambda result: np.array_equal(result[1], [3.0]))
    >>> mend.old, mend.new
    ('return dW, dZ', 'return dW, dZ.sum(axis=0)')
    """
    with _undisturbed():
        try:
            search = _Search(backward, args, kwargs, accepts, confirm, seconds)
            return search.find(words, wrong, right, suggestions)
        except _NoSource:
            return None


class _NoSource(Exception):  # noqa: N818 (never seen outside)
    """Nothing can be recompiled here."""


class _TooLong(Exception):  # noqa: N818 (never seen outside)
    """A changed function ran much longer than the user's."""


class _Search:
    """One search for a mend."""

    def __init__(
        self,
        backward: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        accepts: Accepts,
        confirm: Any,
        seconds: float,
    ):
        self.accepts, self.confirm, self.args, self.kwargs = accepts, confirm, args, dict(kwargs)
        self.until = time.perf_counter() + seconds
        alone = Program(backward, args, kwargs, ())
        if alone.inner is None:
            raise _NoSource
        try:
            self.watch = watch(alone.changed(alone.inner, alone.inner.__code__), args, self.kwargs, of=alone.inner)
        except Exception as error:  # what cannot be copied cannot be tried
            raise _NoSource from error
        self.limit = 20 * self.watch.steps + 2000
        self.program = Program(backward, args, kwargs, self.watch.codes)
        self.sources = [source for source in self.program.sources if self._is_faithful(source)]
        if not self.sources:
            raise _NoSource

    def find(self, words: Sequence[str], wrong: Any, right: Any, suggestions: Sequence[str]) -> Mend | None:
        """The mend, or the line alone."""
        suspect = suspected(self.watch.assignments, wrong, right)
        for tried, (source, edit) in enumerate(self._edits(suspect, words, suggestions)):
            if tried > MOST_EDITS or time.perf_counter() > self.until:
                break
            changed = self._accepted(source, edit)
            text = rewritten(source, edit) if changed is not None else None
            if changed is not None and text is not None:
                return Mend(
                    source.file, source.name, text.first, text.old_text(source.lines), text.new_text(),
                    text.diff(source), edit.words, changed,
                )  # fmt: skip
        return None if suspect is None else self._line_alone(suspect)

    def _edits(
        self, suspect: Assignment | None, words: Sequence[str], suggestions: Sequence[str]
    ) -> Iterator[tuple[Source, Edit]]:
        """The edits of all lines that ran: those of the suspect line, then all others, the likeliest first."""
        others: list[tuple[float, int, Source, Edit]] = []
        alike: dict[tuple[str, int, str], list[list[Edit]]] = {}
        places = [(source, statement) for source in self.sources for statement in self._ran(source)]
        places.sort(key=lambda place: not _stands_at(place[0], place[1], suspect))
        large = self._is_large()
        for source, statement in places:
            here = _stands_at(source, statement, suspect)
            found = edits_of(source.node, statement, self._sight(source, statement), suggestions if here else (), words)
            found = [edit for edit in found if not (edit.grows and large)]
            if isinstance(statement, ast.Assign):
                target = stem(ast.unparse(statement.targets[0]))
                alike.setdefault((source.file, source.first, target), []).append(found)
            if here:
                yield from ((source, edit) for edit in found)
                continue
            away = 0.0
            if suspect is not None:
                away = NEIGHBOUR * min(abs(statement.lineno - suspect.line), 10) if source.file == suspect.file else 4.0
            others += [
                (rank / len(found) + edit.cost + away, len(others), source, edit) for rank, edit in enumerate(found)
            ]
        for source in self.sources:
            groups = [
                lists for key, lists in alike.items() if key[:2] == (source.file, source.first) and len(lists) > 1
            ]
            for edits in map(in_each, groups):
                others += [(edit.cost + 2, len(others), source, edit) for edit in edits]
        for _, _, source, edit in sorted(others, key=lambda other: other[:2]):
            yield source, edit

    def _ran(self, source: Source) -> Iterator[ast.stmt]:
        """The statements of a function that were run."""
        lines = {line for file, line in self.watch.scopes if file == source.file}
        for node in ast.walk(source.node):
            if isinstance(node, ast.stmt) and node is not source.node and lines & set(_own_lines(node)):
                yield node

    def _sight(self, source: Source, statement: ast.stmt) -> Sight:
        """What can be seen from a statement."""
        lines = _own_lines(statement)
        scopes = [self.watch.scopes[source.file, line] for line in lines if (source.file, line) in self.watch.scopes]
        made = [seen for seen in self.watch.assignments if seen.file == source.file and seen.line in lines]
        names = source.function.__globals__
        numpy = next((name for name, value in names.items() if value is np), "np")
        shapes = {np.shape(seen.value) for seen in made}
        literals = (n.value for n in ast.walk(source.node) if isinstance(n, ast.Constant) and type(n.value) is float)
        values = {**(scopes[0] if scopes else {}), **{repr(number): number for number in literals}}
        return Sight(
            values, tuple(self._functions(source)), made[-1].name if made else "",
            shapes.pop() if len(shapes) == 1 else None, numpy,
        )  # fmt: skip

    def _functions(self, source: Source) -> Iterator[str]:
        """The names of the user's functions of one argument that a function can call."""
        function = source.function
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        seen = dict(function.__globals__)
        for name, cell in cells:
            with contextlib.suppress(ValueError):
                seen[name] = cell.cell_contents
        for name, value in seen.items():
            if isinstance(value, types.FunctionType) and value is not function and not name.startswith(("_", "test")):
                code = value.__code__
                if code.co_argcount - len(value.__defaults__ or ()) == 1 and not code.co_kwonlyargcount:
                    yield name

    def _is_large(self) -> bool:
        shapes = (np.shape(seen.value) for seen in self.watch.assignments)
        return max((max(shape, default=0) for shape in shapes), default=0) > LONGEST_AXIS

    def _is_faithful(self, source: Source) -> bool:
        """Whether the source at hand is what runs: it may have been edited since."""
        code = source.compiled()
        if code is None:
            return False
        try:
            result = self._run(self.program.changed(source.function, code))
        except Exception as error:  # noqa: BLE001 (the user's function may raise: then the same)
            return type(error) is type(self.watch.error)
        old, new = (dict(paths({"": value}, 4)) for value in (self.watch.result, result))
        return old.keys() == new.keys() and all(np.array_equal(old[k], new[k], equal_nan=True) for k in old)

    def _accepted(self, source: Source, edit: Edit) -> Callable[..., Any] | None:
        """The changed backward pass, if what it returns is accepted."""
        edit.apply()
        try:
            code = source.compiled()
        finally:
            edit.undo()
        if code is None:
            return None
        try:
            changed = self.program.changed(source.function, code)
            accepted = self.accepts(self._run(changed)) and (self.confirm is None or self.confirm(changed))
            return changed if accepted else None
        except Exception:  # noqa: BLE001 (whatever a wrong edit does)
            return None

    def _run(self, changed: Callable[..., Any]) -> Any:
        """Run it, but not for ever."""
        left = self.limit

        def count(frame: types.FrameType, event: str, arg: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0 or (left % 256 == 0 and time.perf_counter() > self.until):
                raise _TooLong
            return count

        before = sys.gettrace()
        sys.settrace(count)
        try:
            return changed(*self.args, **self.kwargs)
        finally:
            sys.settrace(before)

    def _line_alone(self, suspect: Assignment) -> Mend | None:
        """Only where it is."""
        for source in self.sources:
            for statement in self._ran(source):
                if _stands_at(source, statement, suspect):
                    first, *_, last = (*(own := _own_lines(statement)), own[-1])
                    old = textwrap.dedent("".join(source.lines[first - 1 : last])).rstrip("\n")
                    return Mend(source.file, source.name, first, old)
        return None


def suspected(assignments: Sequence[Assignment], wrong: Any = None, right: Any = None) -> Assignment | None:
    """The assignment that computed the wrong value.

    That is the first one of exactly this value, or else of it transposed, in another shape, or times a number; or else
    of what would be right but for one of these.
    """
    for value in (np.asarray(v, dtype=float) for v in (wrong, right) if v is not None):
        for alike in (_equal, _turned, _proportional) if wrong is not None and value is not right else ():
            for seen in assignments:
                if np.size(seen.value) == value.size and alike(np.asarray(seen.value, dtype=float), value):
                    return seen
    return None


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and (np.array_equal(one, other, equal_nan=True) or same(one, other))


def _turned(one: np.ndarray, other: np.ndarray) -> bool:
    return same(one.ravel(), other.ravel()) or same(one.T.ravel(), other.ravel())


def _proportional(one: np.ndarray, other: np.ndarray) -> bool:
    for form in (one, one.T):
        norm = float(np.vdot(form, form))
        k = float(np.vdot(form.ravel(), other.ravel())) / norm if norm else 0.0
        if k and one.size > 1 and same(k * form.ravel(), other.ravel()):
            return True
    return False


def _own_lines(statement: ast.stmt) -> range:
    """The lines of a statement; of a compound one, those before its body."""
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if isinstance(body, list) and body else statement.end_lineno or statement.lineno
    return range(statement.lineno, max(last, statement.lineno) + 1)


def _stands_at(source: Source, statement: ast.stmt, suspect: Assignment | None) -> bool:
    return suspect is not None and source.file == suspect.file and suspect.line in _own_lines(statement)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """What the tried functions print, warn of and draw leaves no trace."""
    state = np.random.get_state()  # noqa: NPY002 (the user's functions draw from it)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
