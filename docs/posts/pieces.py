"""Pieces of the pages on the five posts: what chainrule derives, as Markdown that GitHub renders.

The one idea: no equation on these pages is typed. A `Story` is a derivation with the notation of its post; each of its
methods writes a part of it and remembers the lines that it wrote, so that a test can put numbers into all of them.
"""

from __future__ import annotations

import inspect
import runpy
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.index_form import Entry
from chainrule.matrix_form import Symbol
from chainrule.show.costumes.notation import notation
from chainrule.show.costumes.to_markdown import as_markdown
from chainrule.show.derivation import Derivation
from chainrule.show.document import Block, Document, Equations, Facts, Paragraph, Row, Sentence, Table
from chainrule.show.levels.collapsed import collapsed_form
from chainrule.show.levels.entry_proofs import whole_proof
from chainrule.show.levels.proof import proof
from chainrule.show.levels.summary import row
from chainrule.show.lines import substituted
from chainrule.show.tidying import tidied, without_ones
from chainrule.show.writing import Statement

ROOT = Path(__file__).parent.parent.parent
POSTS = ROOT / "examples" / "posts"
JUDGED = "Compared with the rule"  # how a proof tells its rounding error, which is another one on each machine
PUT_IN, ADDED = "With the lines above put in", "The contributions add up"


def example(path: str) -> dict[str, Any]:
    """What a file of `examples/` defines."""
    return runpy.run_path(str(ROOT / "examples" / path), run_name="page")


def renamed(function: Callable, name: str) -> Callable:
    """The same function under the name that the page gives to the loss."""
    assert isinstance(function, types.FunctionType)
    return types.FunctionType(function.__code__, function.__globals__, name, function.__defaults__)


def source_of(function: Callable) -> str:
    """The lines of a function as a listing."""
    return f"```python\n{inspect.getsource(function).rstrip()}\n```"


@dataclass
class Page:
    """A page: its file's stem, its text, the pictures beside it, and the stories that it tells."""

    name: str
    text: str
    pictures: Mapping[str, str]
    stories: Sequence[Story]


class Story:
    """A derivation that is told in pieces.

    Parameters
    ----------
    function : callable
        The loss.
    arguments : mapping of str to array
    style : {"default", "partial", "nielsen"}
    symbols : mapping of str to str, optional
        As of `cr.derive`.
    read : callable, optional
        What is known of a name, corrected: `read(name, facts)` gives other facts; a post may count its inputs as
        layer 1.
    **how
        What else `cr.derive` is told.
    """

    def __init__(
        self,
        function: Callable,
        arguments: Mapping[str, Any],
        style: str = "default",
        symbols: Mapping[str, str] | None = None,
        read: Callable[[str, Facts], Facts] | None = None,
        **how: Any,
    ):
        self.function, self.arguments = function, arguments
        self.derivation: Derivation = cr.derive(function, *arguments.values(), **how)
        self.notation = notation(style, symbols)
        self.facts = {n: read(n, f) if read else f for n, f in self.derivation.facts.items()}
        self.shown: dict[str, Any] = {}  # the lines, by name, that stand on the page
        self.proved: list[str] = []

    # -- pieces --------------------------------------------------------------------------------------------------------
    def forward(self) -> str:
        """The lines of the forward pass."""
        return self.lines([s.name for s in self.derivation.forward_lines], best=False)

    def backward(self, *names: str) -> str:
        """Lines of the backward pass, each in its simplest form; all of them if none is named."""
        return self.lines(names or self.gradients)

    def lines(self, names: Iterable[str], *, best: bool = True) -> str:
        """The lines of these names."""
        return self.markdown(Equations(tuple(self.row(name, best=best) for name in names)))

    def row(self, name: str, *, best: bool = True) -> Row:
        """One line."""
        statement = self.remembered(name)
        found = row(self.derivation, statement)
        return replace(found, right=found.right[-1:]) if best else found

    def proof(self, name: str, *, told: bool = False, put_in: bool = False, whole: bool = True) -> str:
        """A gradient derived from one entry on.

        Parameters
        ----------
        name : str
        told : bool
            Whether it is said below what each line is.
        put_in : bool
            Whether the lines before are put in, where that leads to a simpler form.
        whole : bool
            Whether the line itself, of whole arrays, comes last.
        """
        head, *blocks = proof(self.derivation, self.derivation.by_name[name])
        self.proved.append(name)
        plain = [shorter(b, name, told=told) for b in blocks if not starts(b, JUDGED)]
        place = next((i for i, block in enumerate(plain) if starts(block, PUT_IN)), len(plain))
        if not put_in:
            plain = plain[:place] + plain[place + 2 :]
        if len(plain) > 1 and starts(plain[-2], ADDED):  # the line itself says it again
            plain = plain[:-2]
        if whole:
            self.remembered(name)
            plain.append(head)
        return self.markdown(*plain)

    def collapsed(self, name: str) -> str:
        """A gradient as one formula of the arguments, and of one entry with its sums written out."""
        form = tidied(without_ones(collapsed_form(self.derivation, name)[0]), ())
        self.shown[f"{name}, collapsed"] = (name, form)
        blocks: list[Block] = [Equations((Row(Symbol(name), (form,), self.facts[name].shape),))]
        whole = whole_proof(self.derivation, name)
        if whole is not None:
            blocks += [
                Paragraph(("and for one entry",)),
                Equations((Row(Entry(name, whole.by.at), (whole.chain[-1],)),)),
            ]
        return self.markdown(*blocks)

    def values(self, *names: str) -> str:
        """Numbers of lines or arguments."""
        return "\n\n".join(f"$$\n{self.symbol(n)} = {matrix(self.derivation.values[n])}\n$$" for n in names)

    def beside(self, other: Story, heads: tuple[str, str, str], names: Sequence[str] = ()) -> str:
        """The backward lines of two derivations in one table; where they differ stands in front."""
        rows: list[tuple[Sentence, ...]] = []
        for name in names or self.gradients:
            mine, theirs = self.remembered(name).best, other.remembered(name).best
            rows.append(((Symbol(name),), (mine,), ("the same",) if mine == theirs else (theirs,)))
        return self.markdown(Table(heads, tuple(rows)))

    def put_in(self, name: str, *lines: str) -> str:
        """A line of the backward pass with other lines of it in their places, as LaTeX."""
        form = self.remembered(name).best
        for line in lines:
            form = tidied(without_ones(substituted(form, {line: self.derivation.by_name[line].best})), ())
        self.shown[f"{name}, with {', '.join(lines)}"] = (name, form)
        return self.math(form)

    @property
    def gradients(self) -> list[str]:
        """The lines of the backward pass that are gradients."""
        told = ((s.name, self.facts[s.name].cotangent_of) for s in self.derivation.backward_lines)
        return [name for name, by in told if by]

    # -- how they are written ------------------------------------------------------------------------------------------
    def remembered(self, name: str) -> Statement:
        """A line of the derivation, noted as one that is shown."""
        statement = self.derivation.by_name[name]
        self.shown[name] = (name, statement.best)
        if statement.form is not statement.best:
            self.shown[f"{name}, as derived"] = (name, statement.form)
        return statement

    def symbol(self, name: str) -> str:
        """A name as LaTeX."""
        return self.math(Symbol(name))

    def math(self, formula: Any) -> str:
        """A formula as LaTeX, to be put between dollars."""
        return self.markdown(Paragraph((formula,))).strip("$")

    def markdown(self, *blocks: Block) -> str:
        """Blocks as Markdown."""
        document = Document("", blocks, self.facts, self.derivation.loss)
        return as_markdown(document, notation=self.notation).strip()


def starts(block: Block, words: str) -> bool:
    """Whether a block is a paragraph that starts with these words."""
    return isinstance(block, Paragraph) and str(block.pieces[0]).startswith(words)


def shorter(block: Block, name: str, *, told: bool) -> Block:
    """Equations without the pattern, which the line itself repeats, and without remarks unless they are told."""
    if not isinstance(block, Equations):
        return block
    rows = [r for r in block.rows if r.left != Symbol(name)] or list(block.rows)
    return Equations(tuple(r if told else replace(r, remark=()) for r in rows))


def number(value: float) -> str:
    """A number with four decimals at most, without a zero that has a sign.

    >>> number(-0.00001), number(3.0), number(0.47621)
    ('0', '3', '0.4762')
    """
    return f"{round(float(value), 4) + 0.0:.4f}".rstrip("0").rstrip(".")


def matrix(value: Any) -> str:
    """An array of two axes at most as LaTeX; a number as itself."""
    array = np.asarray(value)
    if array.ndim == 0:
        return number(array.item())
    lines = [" & ".join(map(number, line)) for line in np.atleast_2d(array)]
    return "\\begin{pmatrix}\n" + " \\\\\n".join(lines) + "\n\\end{pmatrix}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
