r"""Reads the LaTeX that is shown for formulas of arrays back into a `MatrixForm`.

The one idea: what is checked is what is displayed. The reader knows the grammar of LaTeX's signs and which symbol stands
for which name; it knows nothing of the writer.

    sum      = ["-"] product {("+" | "-") product}
    product  = chain {\odot chain}                    elementwise
    chain    = factor {[\cdot] factor}                beside each other: matrices, or a number and an array
    factor   = primary {^{...}}
"""

import re

from chainrule.matrix_form import (
    Add,
    Call,
    Hadamard,
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
    ndim_of,
)

ONES, ONES_ACROSS = Symbol("the ones"), Symbol("the ones, transposed")
RELATIONS = {">": ">", "<": "<", "=": "==", r"\ge": ">=", r"\le": "<=", r"\ne": "!="}
FUNCTIONS = {"max": "maximum", "min": "minimum"}


def read_latex(latex, names, ndims):
    """The form of a formula; `names` has the name for each symbol's LaTeX, `ndims` the number of axes of each name."""
    reader = _Reader(latex, names, ndims)
    form = reader.sum()
    assert not reader.rest, f"left over: {reader.rest!r} of {latex!r}"
    return form


class _Reader:
    def __init__(self, latex, names, ndims):
        self.rest = re.sub(r"\\[bB]ig[gG]?[lr]", "", latex)
        self.names, self.ndims = names, ndims
        self.symbols = sorted(names, key=len, reverse=True)

    # -- tokens --------------------------------------------------------------------------------------------------------

    def skip(self):
        self.rest = re.sub(r"^(\s|\\,)+", "", self.rest)

    def sees(self, *signs):
        self.skip()
        for sign in signs:
            follows = self.rest[len(sign) : len(sign) + 1]
            if self.rest.startswith(sign) and not (sign[-1].isalpha() and sign[0] == "\\" and follows.isalpha()):
                return sign
        return None

    def takes(self, *signs):
        sign = self.sees(*signs)
        if sign is not None:
            self.rest = self.rest[len(sign) :]
        return sign

    def needs(self, sign):
        assert self.takes(sign), f"{sign} expected at {self.rest!r}"

    def group(self):
        """The text of a group in braces, as it is."""
        self.needs("{")
        depth, at = 1, 0
        while depth:
            if self.rest[at] == "\\":
                at += 1
            else:
                depth += (self.rest[at] == "{") - (self.rest[at] == "}")
            at += 1
        inner, self.rest = self.rest[: at - 1], self.rest[at:]
        return inner

    def inner(self, text):
        return read_latex(text, self.names, self.ndims)

    def ndim(self, form):
        return ndim_of(form, self.ndims)

    # -- grammar -------------------------------------------------------------------------------------------------------

    def sum(self):
        terms = [Negative(self.product())] if self.takes("-") else [self.product()]
        while sign := self.takes("+", "-"):
            term = self.product()
            terms.append(Negative(term) if sign == "-" else term)
        return terms[0] if len(terms) == 1 else Add(tuple(terms))

    def product(self):
        factors = [self.chain()]
        while self.takes(r"\odot"):
            factors.append(self.chain())
        return factors[0] if len(factors) == 1 else Hadamard(tuple(factors))

    def chain(self):
        factors = [self.factor()]
        while not self.ends():
            self.takes(r"\cdot")
            factors.append(self.factor())
        return self.beside(factors)

    def ends(self):
        return self.sees(
            "+", "-", ")", "]", "}", r"\}", ",", ">", "<", "=", r"\ge", r"\le", r"\ne", r"\odot", r"\rvert"
        ) or (not self.rest)

    def beside(self, factors):
        if factors[0] is ONES_ACROSS:
            return Reduced("sum", self.beside(factors[1:]), (0,), False, 2)
        if factors[-1] is ONES:
            return Reduced("sum", self.beside(factors[:-1]), (1,), True, 2)
        result = factors[0]
        for factor in factors[1:]:
            left, right = self.ndim(result), self.ndim(factor)
            if 0 in (left, right):
                result = Scaled(result, factor)
            elif left == right == 1 and isinstance(factor, Transposed):
                result = Outer(result, factor.body)
            else:
                result = Product(result, factor)
        return result

    def factor(self):
        form = self.primary()
        while self.takes("^"):
            text = self.group()
            if text == r"\top":
                form = ONES_ACROSS if form is ONES else Transposed(form)
            elif text.startswith(r"\odot"):
                form = Power(form, self.inner(text.removeprefix(r"\odot")))
            else:
                assert self.ndim(form) == 0, f"a power of an array is no sign for its entries: {text}"
                form = Power(form, self.inner(text))
        return form

    def primary(self):
        self.skip()
        number = re.match(r"\d+(?:\.\d+)?(?:e-?\d+)?", self.rest)
        if number:
            self.rest = self.rest[number.end() :]
            scale = 1.0
            if self.takes(r"\times10^"):
                scale = 10.0 ** int(self.group())
            return Number(float(number[0]) * scale)
        symbol = self.takes(*self.symbols)
        if symbol:
            return Symbol(self.names[symbol])
        if self.takes("N"):
            return Size("N")
        if self.takes("("):
            form = self.sum()
            self.needs(")")
            return form
        if self.takes(r"\lvert"):
            form = self.sum()
            self.needs(r"\rvert")
            return Call("abs", (form,))
        if self.takes(r"\frac"):
            return Quotient(self.inner(self.group()), self.inner(self.group()))
        if self.takes(r"\sqrt"):
            return Power(self.inner(self.group()), Number(0.5))
        if self.takes(r"\mathbf{1}\{"):
            left = self.sum()
            sign = self.takes(*RELATIONS)
            right = self.sum()
            self.needs(r"\}")
            return Relation(RELATIONS[sign], left, right)
        if self.takes(r"\mathbf{1}"):
            return ONES
        if self.takes(r"\sum"):
            return self.big_sum()
        return self.function()

    def big_sum(self):
        letters = []
        while True:
            self.needs("_")
            letters += [part.partition("=")[0].strip() for part in self.group().replace(r"\,", "").split(",")]
            if self.takes("^"):
                self.group()
            if not self.takes(r"\sum"):
                break
        self.needs("(")
        body = self.sum()
        self.needs(")")
        self.needs("_")
        assert self.group() == "".join(letters), "the entry has the indices that are summed over"
        return Reduced("sum", body, tuple(range(len(letters))), False, len(letters))

    def function(self):
        reduced = self.takes(r"\operatorname*")
        named = reduced or self.takes(r"\operatorname")
        if named:
            name = self.group()
        else:
            found = re.match(r"\\(exp|log|tanh|sinh|cosh|sin|cos|tan|max|min)(?![a-zA-Z])", self.rest)
            assert found, f"no formula begins with {self.rest!r}"
            name, self.rest = found[1], self.rest[found.end() :]
        words = ""
        if self.takes("_"):
            words = self.group().removeprefix(r"\mathrm{").removesuffix("}").replace(r"\ ", " ").replace("{,}", ",")
        self.needs("(")
        arguments = [self.sum()]
        while self.takes(","):
            arguments.append(self.sum())
        self.needs(")")
        if words.startswith(("axis", "axes")):
            axes = tuple(int(axis) for axis in words[5:].split(","))
            return Reduced(name, arguments[0], axes, True, self.ndim(arguments[0]))
        if name == "transpose":
            return Transposed(arguments[0], tuple(int(axis) for axis in words.split(",")))
        if name in ("mean", "max", "min") and len(arguments) == 1:
            ndim = self.ndim(arguments[0])
            return Reduced(name, arguments[0], tuple(range(ndim)), False, ndim)
        return Call(FUNCTIONS.get(name, name), tuple(arguments))
