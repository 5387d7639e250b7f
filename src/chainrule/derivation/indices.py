"""Where a formula of the backward pass comes from, proved entry by entry.

The one idea: state one entry of a statement's result, differentiate it by one entry of an operand, sum over all paths, and
contract the deltas; what is left is the gradient's entry, and the shape of the sum says which matrix product it is:

    z[i,j] = sum_k x[i,k] w[k,j] + b[j]
    dz[i,j]/dw[p,q] = x[i,p] delta[j,q]
    dL/dw[p,q] = sum_ij dz[i,j] x[i,p] delta[j,q] = sum_i dz[i,q] x[i,p]            dW = X^T dZ

The result is compared with the rule by which gradients are computed, on random numbers; nothing is looked up in a table of
answers. A statement that has no formula for its entries has no such proof: None.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

from chainrule.derivation.comparing import EXACT, Comparison
from chainrule.derivation.contracting import flattened, simplify, total
from chainrule.derivation.entries import BY_LETTERS, FORWARD_LETTERS
from chainrule.derivation.folding import folded
from chainrule.derivation.index_algebra import free_letters, indices_in, move_position, same_form, walk
from chainrule.derivation.index_calculus import differentiate
from chainrule.derivation.placing import mixed_radix, place_of
from chainrule.derivation.stating import Stated, Statements
from chainrule.derivation.tidying import tidied
from chainrule.derivation.writing_out import bound_letters, first_entry, from_one, with_plain_letters
from chainrule.graphs import Graph
from chainrule.index_form import ZERO, Entry, Index, IndexForm, Position, Times, Total, combined
from chainrule.matrix_form import MatrixForm


@dataclass(frozen=True, slots=True)
class Summed:
    """An index that the gradient's formula sums over, and why.

    Attributes
    ----------
    index : Index
    reason : str
        "shared": the operand has no such axis, each of its entries stands in many results (a bias in every sample);
        "product": a matrix product uses each of its entries for many results;
        "row": every result of a row depends on every entry of it (softmax, a mean that is subtracted).
    reached : Entry
        The results that one entry of the operand reaches: z[i,q] for every i.
    """

    index: Index
    reason: str
    reached: Entry


@dataclass(frozen=True)
class EntryProof:
    """The derivation of one operand's gradient through one statement, entry by entry.

    Attributes
    ----------
    forward_left, forward : Entry, IndexForm
        ``z[i,j] = ...``
    rewritten : IndexForm or None
        The same value in the form that was differentiated, where it is another: a shift that cancels, a sigmoid.
    by : Entry
        ``w[p,q]``; where the statement uses one position of an axis only, as in ``x[:, 0]``, that position: by all other
        entries the derivative is 0.
    partial : tuple of IndexForm
        ``dz[i,j]/dw[p,q]``: with its deltas as they come, then contracted.
    chain : tuple of IndexForm
        ``dL/dw[p,q]``: the sum over all paths, then contracted.
    summed : tuple of Summed
        What the last formula sums over, and why.
    matrix : MatrixForm or None
        What the statement contributes to the gradient, as arrays; None where no such form was recognised.
    checked : float or None
        The largest difference from the rule on random numbers, relative to the largest entry; None where none were finite.
    first : tuple of Entry and IndexForm
        One entry written out, with positions that count from 1.
    """

    forward_left: Entry
    forward: IndexForm
    rewritten: IndexForm | None
    by: Entry
    partial: tuple[IndexForm, ...]
    chain: tuple[IndexForm, ...]
    summed: tuple[Summed, ...]
    matrix: MatrixForm | None
    checked: float | None
    first: tuple[Entry, IndexForm]

    @property
    def agrees(self) -> bool:
        """Whether the formula was found to be the rule's."""
        return self.checked is not None and self.checked < EXACT

    def from_one(self) -> EntryProof:
        """The same proof with positions that count from 1, as on paper, where sums run from 1: x[i,j+k-1] for x[i,j+k]."""
        return replace(
            self,
            forward_left=from_one(self.forward_left),
            forward=from_one(self.forward),
            rewritten=None if self.rewritten is None else from_one(self.rewritten),
            by=from_one(self.by),
            partial=tuple(map(from_one, self.partial)),
            chain=tuple(map(from_one, self.chain)),
            summed=tuple(Summed(s.index, s.reason, from_one(s.reached)) for s in self.summed),
        )


def prove_entry(
    graph: Graph, output: int, operand: int, *, names: Mapping[int, str], stop: frozenset[int], cotangent: str
) -> EntryProof | None:
    """The derivation of `operand`'s gradient through the statement that makes `output`; see `EntryProofs`.

    Parameters
    ----------
    graph : Graph
    output, operand : int
        Variables.
    names : mapping of int to str
        How the variables in `stop` are called.
    stop : frozenset of int
        The variables that are shown as symbols.
    cotangent : str
        What the output's cotangent is called; empty where it is 1, because the output is the loss.

    Returns
    -------
    EntryProof or None
        None where a primitive of the statement has no index form.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> graph = cr.graph(lambda X, W: X @ W, np.ones((3, 4)), np.ones((4, 2)))
    >>> (X, W), (Z,) = graph.inputs, graph.outputs
    >>> names = {X: "X", W: "W", Z: "Z"}
    >>> proof = prove_entry(graph, Z, W, names=names, stop=frozenset({X, W}), cotangent="dZ")
    >>> proof.matrix
    Product(left=Transposed(body=Symbol(name='X'), axes=()), right=Symbol(name='dZ'))
    >>> proof.agrees
    True
    """
    return EntryProofs(graph, names, stop).prove(output, operand, cotangent)


@dataclass
class EntryProofs:
    """The proofs of a graph's statements; what they share is worked out once.

    Attributes
    ----------
    graph : Graph
    names : mapping of int to str
    stop : frozenset of int
    """

    graph: Graph
    names: Mapping[int, str]
    stop: frozenset[int]
    _statements: Statements = field(init=False)

    def __post_init__(self) -> None:
        self._statements = Statements(self.graph, self.names, self.stop)

    def prove(self, output: int, operand: int, cotangent: str) -> EntryProof | None:
        """The derivation of one operand's gradient through the statement that makes `output`, or None."""
        stated = self._statements.stated(output)
        if stated is None or cotangent in stated.called:
            return None
        return _Proof(self._statements, stated, operand, cotangent).proof()


class _Proof:
    def __init__(self, statements: Statements, stated: Stated, operand: int, cotangent: str):
        self.stated, self.cotangent = stated, cotangent
        self.name = statements.name(operand)
        self.judge = Comparison(statements, stated, operand, cotangent)
        self.left = stated.formula.left
        self.out = tuple(index for position in self.left.at for index in indices_in(position))
        self.taken = set(stated.formula.letters.taken)
        self.sizes = self.judge.sizes

    def proof(self) -> EntryProof:
        """The derivation."""
        by = self._by()
        right = self.stated.differentiable
        raw = self._plain(flattened(differentiate(right, by)))
        contracted = self._read(simplify(raw))
        chain = self._chain(contracted)
        final = chain[-1]
        return EntryProof(
            forward_left=self.left,
            forward=self.stated.forward,
            rewritten=None if right == self.stated.forward else right,
            by=by,
            partial=(contracted,) if same_form(raw, contracted) else (raw, contracted),
            chain=chain,
            summed=self._summed(final, contracted, by),
            matrix=self.judge.matrix(final, by),
            checked=self.judge.worst(final, by),
            first=first_entry(final, by),
        )

    def _chain(self, contracted: IndexForm) -> tuple[IndexForm, ...]:
        """The sum over all paths; with its outer deltas carried out; and done."""
        if contracted == ZERO:
            return (ZERO,)
        cotangent = (Entry(self.cotangent, self.left.at),) if self.cotangent else ()
        product = flattened(Times((*cotangent, contracted)))
        paths = Total(self.out, product) if self.out else product
        met = tidied(total(self.out, simplify(product), spread=False)) if self.out else paths
        final = self._read(simplify(paths))
        steps = [paths]
        steps += [step for step in (met, final) if not same_form(step, steps[-1])]
        return tuple(dict.fromkeys((*(step for step in steps if not same_form(step, final)), final)))

    def _read(self, form: IndexForm) -> IndexForm:
        """The formula as it reads best: by the names it has, common factors once, plain letters."""
        return self._plain(tidied(folded(form, self.left, self.stated.differentiable)))

    def _plain(self, form: IndexForm) -> IndexForm:
        return with_plain_letters(form, FORWARD_LETTERS, self.stated.names | free_letters(form))

    # -- the entry to differentiate by -----------------------------------------------------------------------------
    def _by(self) -> Entry:
        """An entry of the operand, with letters of its own; on an axis that is taken apart, one for each part."""
        met: list[Any] = [node for node in walk(self.stated.differentiable) if _names(node, self.name)]
        at: list[Position] = []
        used = set(self.taken)

        def new(size: str | int, wanted: str = "") -> Index:
            plain = (letter for letter in wanted + BY_LETTERS if letter not in used)
            letter = next(plain, None) or next(x for n in range(1, 99) if (x := f"p{n}") not in used)
            used.add(letter)
            return Index(letter, size)

        axes = {p.letter: BY_LETTERS[n] for n, p in enumerate(self.left.at) if isinstance(p, Index) and n < 4}
        alike = all(isinstance(p, Index) and p.letter in axes for node in met for p in node.at)
        for place, size in enumerate(size for size in self.sizes if size != 1):
            uses = {node.at[place] for node in met}
            parts = _common_parts([node.at[place] for node in met], size)
            if len(uses) == 1 and isinstance(next(iter(uses)), int):
                at.append(next(iter(uses)))  # the statement knows no other
            elif parts:
                at.append(combined(tuple((step, new(index.size)) for step, index in parts)))
            else:  # a bias b[j] of z[i,j] is b[q], beside w[p,q]
                wanted = axes[met[0].at[place].letter] if met and alike else ""
                at.append(new(size, wanted))
        return Entry(self.name, tuple(at))

    # -- what is summed over ---------------------------------------------------------------------------------------
    def _summed(self, final: IndexForm, contracted: IndexForm, by: Entry) -> tuple[Summed, ...]:
        own = {index.letter: index for index in self.out}
        summed = [own[letter] for letter in bound_letters(final) if letter in own]
        if not summed:
            return ()
        uses = [node for node in walk(self.stated.differentiable) if _names(node, by.array)]
        linear = not any(_names(node, by.array) or _names(node, self.left.array) for node in walk(contracted))
        found = []
        for index in summed:
            if all(free_letters(use) <= own.keys() - {index.letter} for use in uses):
                reason = "shared"
            else:
                reason = "product" if linear else "row"
            use = next((use for use in uses if index.letter not in free_letters(use)), uses[0])
            found.append(Summed(index, reason, self._reached(use, by, own.keys() - {i.letter for i in summed})))
        return tuple(found)

    def _reached(self, use: Entry, by: Entry, letters: AbstractSet[str]) -> Entry:
        """The results in which the operand's entry stands: the letters of its use are those of the entry."""
        moved: dict[str, Position] = {}
        for mine, other in zip(use.at, by.at, strict=True):
            place = place_of(mine)
            if place is not None and len(place.parts) == 1 and place.parts[0][0] == 1:
                letter = place.parts[0][1].letter
                if letter in letters:
                    moved[letter] = combined(((1, other),), -place.offset)
        return Entry(self.left.array, tuple(move_position(position, moved) for position in self.left.at))


def _common_parts(positions: list[Position], size: str | int) -> list[tuple[int, Index]]:
    """How an axis falls into parts, if every use of it takes it apart alike."""
    found: list[tuple[int, Index]] = []
    for position in positions:
        parts = mixed_radix(position)
        if not parts or len(parts) < 2:
            return []
        if not all(isinstance(index.size, int) for _, index in parts[1:]):
            return []
        reach = parts[0][0] * parts[0][1].size if isinstance(parts[0][1].size, int) else size
        if reach != size:
            return []
        if found and [(s, i.size) for s, i in found] != [(s, i.size) for s, i in parts]:
            return []
        found = parts
    return found


def _names(node: IndexForm, array: str) -> bool:
    return type(node) is Entry and node.array == array
