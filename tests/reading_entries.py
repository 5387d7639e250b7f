"""Reads formulas for single entries, as they are shown in text, and evaluates them: `Σ_k x_ik w⁽¹⁾_kj + b_j`.

The one idea: what is checked is what is displayed. A sum binds the factors after it; factors stand beside each other; a
fraction is `a / b` between two factors. The reader knows nothing of the writer.

    sum     = ["-"] product {("+" | "-") product}
    product = {"Σ_k" | "max_k"} factor {factor}  |  factor "/" factor
    factor  = number | N | entry | δ_ij | f(sum, ...) | 1{sum relation sum} | |sum| | (sum), with a power perhaps
"""

import itertools
import math
import operator
import re

RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
RELATIONS = {">": operator.gt, "<": operator.lt, "≥": operator.ge, "≤": operator.le, "=": operator.eq, "≠": operator.ne}
FUNCTIONS = {"exp": math.exp, "log": math.log, "tanh": math.tanh, "sqrt": math.sqrt, "max": max, "min": min}


def entry_value(text, names, arrays, sizes, at):
    """The value of a formula where the free letters have the values of `at`, counted from 0.

    `names` has the name for each base that is written before the indices; `sizes` the size of each letter, and of N.
    """
    reader = _Reader(text, names, arrays, sizes)
    value = reader.sum(at)
    assert not reader.rest.strip(), f"left over: {reader.rest!r} of {text!r}"
    return value


class _Reader:
    def __init__(self, text, names, arrays, sizes):
        self.rest, self.names, self.arrays, self.sizes = text, names, arrays, sizes

    def takes(self, pattern):
        found = re.match(pattern, self.rest)
        if found:
            self.rest = self.rest[found.end() :]
        return found

    def sum(self, at):
        sign = -1 if self.takes("-") else 1
        total = sign * self.product(at)
        while found := self.takes(r" ([+-]) "):
            total += (1 if found[1] == "+" else -1) * self.product(at)
        return total

    def product(self, at):
        large = self.takes(r"(Σ|max|min)_(\{[^}]*\}|\w+) ")
        if large:
            return self.large(large[1], re.findall(r"[a-z]", large[2]), at)
        value = self.factor(at)
        if self.takes(r" / "):
            return value / self.factor(at)
        while self.takes(r" · | (?![+\-=<>≤≥≠/])"):
            if re.match(r"(Σ|max|min)_", self.rest):
                return value * self.product(at)
            value *= self.factor(at)
        return value

    def large(self, sign, letters, at):
        start, values = self.rest, []
        for places in itertools.product(*(range(self.sizes[letter]) for letter in letters)):
            self.rest = start
            values.append(self.product({**at, **dict(zip(letters, places, strict=True))}))
        return {"Σ": sum, "max": max, "min": min}[sign](values)

    def factor(self, at):
        value = self.primary(at)
        while found := self.takes(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]+|\^\("):
            if found[0] == "^(":
                value **= self.sum(at)
                assert self.takes(r"\)")
            else:
                value **= int(found[0].translate(RAISED))
        return value

    def primary(self, at):
        if found := self.takes(r"1\{"):
            left, sign, right = self.sum(at), self.takes(r" ([<>≤≥≠=]) "), self.sum(at)
            assert self.takes(r"\}")
            return float(RELATIONS[sign[1]](left, right))
        if found := self.takes(r"\d+(\.\d+)?(e-?\d+)?"):
            return float(found[0])
        if self.takes(r"\("):
            value = self.sum(at)
            assert self.takes(r"\)"), self.rest
            return value
        if self.takes(r"\|"):
            value = self.sum(at)
            assert self.takes(r"\|")
            return abs(value)
        if found := self.takes(r"(exp|log|tanh|sqrt|max|min)\("):
            arguments = [self.sum(at)]
            while self.takes(", "):
                arguments.append(self.sum(at))
            assert self.takes(r"\)")
            return FUNCTIONS[found[1]](*arguments)
        if found := self.takes(r"δ_([a-z])([a-z])"):
            return float(at[found[1]] == at[found[2]])
        found = self.takes(r"([A-Za-zα-ω]+(?:⁽[⁰¹²³⁴⁵⁶⁷⁸⁹]+⁾)?)(?:_([a-z]+|\{[^}]*\}))?")
        assert found, f"no factor begins with {self.rest!r}"
        if found[1] in self.sizes and found[1].isupper():
            return self.sizes[found[1]]
        places = re.findall(r"[a-z]", found[2] or "")
        return self.arrays[self.names[found[1]]][tuple(at[letter] for letter in places)]
