"""From a formula of entries to one of whole arrays: `sum_i x[i,p] dz[i,q]` is entry (p, q) of `X^T dZ`.

The one idea: an array under a formula is *laid*: we know which index runs along each of its axes. Products with a shared
index that is summed are matrix products where the others lie right; every other sum is a sum along axes; factors that lie
alike are multiplied elementwise. What fits none of these is not recognised, and the sum over indices is the answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from chainrule.derivation.contracting import powers_of, times
from chainrule.derivation.index_algebra import free_letters, substitute
from chainrule.derivation.laying import (
    Axes,
    Laid,
    Shapes,
    UnrecognisedError,
    fits,
    joint,
    laid_delta,
    laid_entry,
    number_form,
    turned,
)
from chainrule.derivation.placing import place_of
from chainrule.index_form import (
    Cases,
    Delta,
    Entry,
    Holds,
    Index,
    IndexForm,
    Inside,
    Largest,
    Of,
    Plus,
    Raised,
    SizeOf,
    Times,
    Total,
    Value,
    combined,
)
from chainrule.matrix_form import (
    Add,
    Call,
    Hadamard,
    MatrixForm,
    Negative,
    Number,
    Outer,
    Power,
    Product,
    Quotient,
    Reduced,
    Relation,
    Scaled,
    Size,
    Symbol,
    Transposed,
    Verbatim,
)

NAMES = {"max": "maximum", "min": "minimum"}  # of two arrays, as NumPy calls them


def recognised(form: IndexForm, target: Axes, shapes: Shapes) -> MatrixForm | None:
    """The array whose entries the formula gives, with these indices along its axes; None where none is recognised.

    Parameters
    ----------
    form : IndexForm
        Simplified.
    target : tuple of Index or None
        The axes of the array that is wanted, None for one of size 1.
    shapes : mapping of str to sequence of sizes
        Of every array in the formula.
    """
    try:
        found = _Recognition(shapes).laid(form, target)
    except UnrecognisedError:
        return None
    if found.axes == target:
        return found.form
    sizes = ", ".join("1" if index is None else str(index.size) for index in target)
    return Call("broadcast_to", (found.form,), (("shape", f"({sizes},)" if len(target) == 1 else f"({sizes})"),))


class _Recognition:
    def __init__(self, shapes: Shapes):
        self.shapes = shapes
        self.known: dict[tuple[IndexForm, Axes], Laid | None] = {}  # ways of lying are tried again and again

    def laid(self, form: Any, target: Axes) -> Laid:
        """The formula as an array that broadcasts to the target."""
        key = (form, target)
        if key not in self.known:
            try:
                self.known[key] = self._laid(form, target)
            except UnrecognisedError:
                self.known[key] = None
        found = self.known[key]
        if found is None:
            raise UnrecognisedError
        return found

    def _laid(self, form: Any, target: Axes) -> Laid:
        kind = type(form)
        if kind is Value:
            return Laid(number_form(form.value), ())
        if kind is SizeOf:
            return Laid(Size(str(form.name)), ())
        if kind is Entry:
            return turned(laid_entry(form, self.shapes), target)
        if kind is Plus:
            return self.sum(form, target)
        if kind is Raised and type(form.exponent) is not Value:
            parts = [self.laid(form.base, target), self.laid(form.exponent, target)]
            return Laid(Power(parts[0].form, parts[1].form), joint(parts))
        if kind is Times or kind is Raised:
            return self.product(form, target)
        if kind is Of and form.function == "held":
            return self.laid(form.arguments[0], target)
        if kind is Of:
            parts = [self.laid(argument, target) for argument in form.arguments]
            return Laid(Call(NAMES.get(form.function, form.function), tuple(p.form for p in parts)), joint(parts))
        if kind is Holds:
            parts = [self.laid(form.left, target), self.laid(form.right, target)]
            return Laid(Relation(form.relation, parts[0].form, parts[1].form), joint(parts))
        if kind is Cases:
            parts = [self.laid(part, target) for part in (form.condition, form.then, form.otherwise)]
            return Laid(Call("where", tuple(p.form for p in parts)), joint(parts))
        if kind is Total:
            return self.contraction(form, target)
        if kind is Largest:
            body = (form.body, form.over)
            return self.reduction("min" if form.smallest else "max", *body, target)
        if kind is Delta:
            return turned(laid_delta(form, self.shapes), target)
        raise UnrecognisedError

    # -- sums and products of entries ------------------------------------------------------------------------------
    def sum(self, form: Plus, target: Axes) -> Laid:
        joined = self.joined(form, target)
        if joined is not None:
            return joined
        parts = [self.laid(term, target) for term in form.terms]
        return Laid(Add(tuple(part.form for part in parts)), joint(parts))

    def joined(self, form: Plus, target: Axes) -> Laid | None:
        """Terms that are each inside their own part of one axis, as one array."""
        parts: list[Laid] = []
        start, axis = 0, -1
        for term in form.terms:
            factors = term.factors if type(term) is Times else ()
            inside = [factor for factor in factors if type(factor) is Inside]
            place = place_of(inside[0].position) if len(inside) == 1 else None
            if place is None or len(place.parts) != 1 or place.offset != -start or not isinstance(inside[0].size, int):
                return None
            index, size = place.parts[0][1], inside[0].size
            axis = target.index(index) if index in target else -1
            if axis < 0:
                return None
            local = Index(index.letter, size)
            rest = [substitute(f, {index.letter: combined(((1, local),), start)}) for f in factors if f not in inside]
            part = self.laid(times(rest), (*target[:axis], local, *target[axis + 1 :]))
            if (
                len(part.axes) != len(target)
                or part.axes[axis] != local
                or (parts and _other(part, axis) != _other(parts[0], axis))
            ):
                return None
            parts.append(part)
            start += size
        whole = target[axis]
        if whole is None or whole.size != start:
            return None
        inner = ", ".join(f"{{{number}}}" for number in range(len(parts)))
        text = f"np.concatenate([{inner}], axis={axis})"
        axes = (*parts[0].axes[:axis], whole, *parts[0].axes[axis + 1 :])
        return Laid(Verbatim(text, tuple(part.form for part in parts)), axes)

    def product(self, form: IndexForm, target: Axes) -> Laid:
        coefficient, powers = powers_of(form)
        return self.of_powers(coefficient, list(powers.values()), target)

    def of_powers(self, coefficient: Any, powers: list[tuple[Any, Any]], target: Axes) -> Laid:
        above: list[Laid] = []
        below: list[Laid] = []
        for base, exponent in powers:
            part = self.laid(base, target)
            if abs(exponent) != 1:
                part = Laid(Power(part.form, number_form(abs(exponent))), part.axes)
            (above if exponent > 0 else below).append(part)
        if isinstance(coefficient, Fraction) and coefficient.denominator != 1:
            below.insert(0, Laid(number_form(coefficient.denominator), ()))
            coefficient = coefficient.numerator
        result = self.multiplied(above)
        size = abs(coefficient)
        if size != 1 and above:
            result = Laid(Scaled(number_form(size), result.form), result.axes)
        elif size != 1:
            result = Laid(number_form(size), ())
        if below:
            divisor = self.multiplied(below)
            result = Laid(Quotient(result.form, divisor.form), joint([result, divisor]))
        return Laid(Negative(result.form), result.axes) if coefficient < 0 else result

    def multiplied(self, parts: list[Laid]) -> Laid:
        """The elementwise product; numbers scale it."""
        numbers = [part for part in parts if not part.axes]
        arrays = [part for part in parts if part.axes]
        if not arrays:
            form: MatrixForm = numbers.pop(0).form if numbers else Number(1)
            for number in numbers:
                form = Scaled(form, number.form)
            return Laid(form, ())
        product = self.of_vectors(arrays)
        if product is None:
            form = arrays[0].form if len(arrays) == 1 else Hadamard(tuple(part.form for part in arrays))
            product = Laid(form, joint(arrays))
        for number in reversed(numbers):
            product = Laid(Scaled(number.form, product.form), product.axes)
        return product

    @staticmethod
    def of_vectors(arrays: list[Laid]) -> Laid | None:
        """A column times a row, both made of vectors; or a diagonal matrix."""
        if len(arrays) != 2:
            return None
        for column, row in (arrays, reversed(arrays)):
            if not isinstance(column.form, Verbatim) or column.form.template != "{0}[:, None]" or len(column.axes) != 2:
                continue
            if len(row.axes) == 1 and row.axes[0]:
                return Laid(Outer(column.form.operands[0], row.form), (column.axes[0], row.axes[0]))
            if isinstance(row.form, Call) and row.form.function == "eye":
                return Laid(Call("diag", column.form.operands), row.axes)
        return None

    # -- sums over indices -----------------------------------------------------------------------------------------
    def contraction(self, form: Total, target: Axes) -> Laid:
        if type(form.body) is Entry and form.body.at == form.over * 2 and not target:
            return Laid(Call("trace", (Symbol(form.body.array),)), ())
        coefficient, powers = powers_of(form.body)
        if coefficient != 1:
            raise UnrecognisedError
        factors = list(powers.values())
        for attempt in (self.matrix_product, self.inner_product):
            if len(form.over) == 1 and (found := attempt(form.over[0], factors, target)) is not None:
                return found
        try:
            return self.reduction("sum", form.body, form.over, target)
        except UnrecognisedError:
            return self.sum_of_products(form.over, factors, target)

    def sum_of_products(self, over: tuple[Index, ...], factors: list, target: Axes) -> Laid:
        """A sum over a stack of matrix products: sum_n X_n^T dZ_n."""
        for inner in reversed(over) if len(over) > 1 and len(target) == 2 else ():
            stack = tuple(index for index in over if index != inner)
            found = self.matrix_product(inner, factors, (*stack, *target))
            if found is not None:
                places = tuple(range(len(stack)))
                sizes = tuple(str(index.size) for index in stack)
                return Laid(Reduced("sum", found.form, places, False, len(stack) + 2, sizes), target)
        raise UnrecognisedError

    def matrix_product(self, index: Index, factors: list, target: Axes) -> Laid | None:
        """The product over the index, if the factors fall apart into rows and columns."""
        if not target:
            return None
        stack, ends = target[:-2], target[-2:]
        row, column = ends if len(ends) == 2 else (ends[0], None)
        shared = {i.letter for i in stack if i is not None} | {index.letter}
        names = [free_letters(base) - shared for base, _ in factors]
        here = [{i.letter} if i is not None else set() for i in (row, column)]
        if any(not (letters <= here[0] or letters <= here[1]) for letters in names):
            return None
        if len(ends) == 1:
            lefts = [f for f, letters in zip(factors, names, strict=True) if letters]
            rights = [f for f, letters in zip(factors, names, strict=True) if not letters]
            layouts: tuple[Axes, Axes] = ((row, index), (index,))
        else:
            lefts = [f for f, n in zip(factors, names, strict=True) if n and n <= here[0] or not n and not here[0]]
            rights = [f for f in factors if f not in lefts]
            if not here[0] and not here[1]:
                return None
            layouts = ((*stack, row, index), (*stack, index, column))
        if not lefts or not rights:
            return None
        try:
            left = self.factor(lefts, layouts[0])
            right = self.factor(rights, layouts[1])
        except UnrecognisedError:
            return None
        if left.axes[-2:] != layouts[0][-2:] or right.axes[-min(2, len(layouts[1])) :] != layouts[1][-2:]:
            return None
        axes = (row,) if len(ends) == 1 else (*stack, row, column)
        if stack and len(left.axes) < len(target) and len(right.axes) < len(target):
            return None
        return Laid(Product(left.form, right.form), axes)

    def factor(self, powers: list[tuple[Any, Any]], layout: Axes) -> Laid:
        """One factor of a matrix product; transposed as a whole where its parts would be: max(0, X W)^T."""
        if len(layout) < 2:
            return self.of_powers(Fraction(1), powers, layout)
        turned_layout = (*layout[:-2], layout[-1], layout[-2])
        found: list[Laid] = []
        for axes in (layout, turned_layout):
            try:
                part = self.of_powers(Fraction(1), powers, axes)
            except UnrecognisedError:
                continue
            if axes is turned_layout:
                if part.axes[-2:] != axes[-2:]:
                    continue
                part = Laid(Transposed(part.form), (*part.axes[:-2], part.axes[-1], part.axes[-2]))
            found.append(part)
        if not found:
            raise UnrecognisedError
        return min(found, key=lambda part: repr(part.form).count("Transposed"))

    def inner_product(self, index: Index, factors: list, target: Axes) -> Laid | None:
        """The inner product of two vectors."""
        if len(factors) != 2 or any(free_letters(base) != {index.letter} or power != 1 for base, power in factors):
            return None
        parts = [
            self.laid(base, (index,))
            for base, _ in factors
            if type(base) is Entry and len(self.shapes[base.array]) == 1
        ]
        return Laid(Product(parts[0].form, parts[1].form), ()) if len(parts) == 2 else None

    def reduction(self, kind: str, body: IndexForm, over: tuple[Index, ...], target: Axes) -> Laid:
        """A sum or an extremum along axes."""
        for axes in self.layouts(body, over, target):
            try:
                found = self.laid(body, axes)
            except UnrecognisedError:
                continue
            if found.axes != axes:
                continue
            places = tuple(place for place, index in enumerate(axes) if index in over)
            sizes = tuple(str(index.size) for index in axes if index is not None and index in over)
            rests = {
                keepdims: tuple(
                    None if place in places else index
                    for place, index in enumerate(axes)
                    if keepdims or place not in places
                )
                for keepdims in (False, True)
            }
            for keepdims, rest in sorted(rests.items(), key=lambda item: item[1] != target):  # best without stretching
                form = Reduced(kind, found.form, places, keepdims, len(axes), sizes)
                if fits(rest, target):
                    return Laid(form, rest)
        raise UnrecognisedError

    def layouts(self, body: IndexForm, over: tuple[Index, ...], target: Axes) -> Iterator[Axes]:
        """Ways in which the body may lie: as one of its arrays does, or as the target with the summed in the gaps."""
        needed = free_letters(body)
        seen: list[Axes] = []
        for base, _ in powers_of(body)[1].values():
            if type(base) is Entry:
                try:
                    axes = laid_entry(base, self.shapes).axes
                except UnrecognisedError:
                    continue
                if needed == {index.letter for index in axes if index is not None} and axes not in seen:
                    seen.append(axes)
        gaps = [place for place, index in enumerate(target) if index is None or index.letter not in needed]
        for places in itertools.permutations(gaps, len(over)) if len(gaps) >= len(over) else ():
            filled = [None if place in gaps else index for place, index in enumerate(target)]
            for place, index in zip(places, over, strict=True):
                filled[place] = index
            seen.append(tuple(filled))
        kept = tuple(index for index in target if index is not None and index.letter in needed)
        for order in itertools.permutations(over):
            seen += [(*order, *kept), (*kept, *order)]
        yield from dict.fromkeys(seen)


def _other(part: Laid, axis: int) -> Axes:
    return (*part.axes[:axis], *part.axes[axis + 1 :])
