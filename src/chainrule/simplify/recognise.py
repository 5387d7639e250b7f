"""What people spell by hand, recognised in the forward graph and differentiated in its stable form.

The value returned stays the user's own arithmetic. For the gradient, the recognised call is written out again in its
stable form beside it, and what depends on it follows; where the user's spelling was stable already, the two meet again
as common terms and nothing is computed twice.

===========================================  ==============================================
spelled                                      differentiated as
===========================================  ==============================================
exp(S) / sum(exp(S))                         softmax, its row maximum taken out by shift invariance
log of it, or of entries picked from it      S - log(sum(exp(S)))
log(sum(exp(S)))                             log-sum-exp
1 / (1 + exp(-Z)), exp(Z) / (1 + exp(Z))     sigmoid(Z)
log(sigmoid(Z)), log(1 - sigmoid(Z))         -softplus(-Z), -softplus(Z)
log(1 + exp(Z)), log1p(exp(Z))               softplus(Z)
max(Z, 0) + log1p(exp(-|Z|))                 softplus(Z)
===========================================  ==============================================
"""

from __future__ import annotations

import numpy as np

from chainrule.derivation.building import Builder
from chainrule.graphs import FORWARD_VALUE, Equation, Graph, Literal, Operand, Step
from chainrule.primitive import apply
from chainrule.primitives import arithmetic, comparison, control, exponential, indexing, reduction, shaping, special


def recognise(graph: Graph) -> Graph:
    """The graph with stable forms appended and its outputs moved to them; the same graph if nothing is recognised."""
    return _Recognition(graph).run()


class _Recognition(Builder):
    def __init__(self, graph: Graph):
        super().__init__(graph)
        self.made = graph.producers()
        self.moved: dict[int, int] = {}  # user's variable -> its stable counterpart
        self.softmaxes: dict[int, tuple] = {}  # stable softmax variable -> (shifted logits, row sums)
        self.sigmoids: dict[int, Operand] = {}  # stable sigmoid variable -> its logit

    def run(self) -> Graph:
        for equation in list(self.graph.equations):
            name = self.graph.variables[equation.output].name
            start = len(self.graph.equations)
            self.trace.step = Step("recognise", name or "")
            value = self._stable(equation)
            if value is None:
                if equation.primitive is special.SIGMOID:
                    self.sigmoids[equation.output] = self.now(equation.inputs[0])
                if not any(type(i) is int and i in self.moved for i in equation.inputs):
                    continue
                self.trace.step = Step(FORWARD_VALUE, name or "")
                value = self.trace.record(
                    equation.primitive, tuple(map(self.current, equation.inputs)), equation.params
                )
                if self._unmoved_in_value(equation):
                    self.graph.same[value.number] = equation.output
                if equation.primitive is special.SIGMOID:
                    self.sigmoids[value.number] = self.now(equation.inputs[0])
            for made in self.graph.equations[start:]:
                self.made[made.output] = made
                made.origin = equation.origin
                if equation.output in self.graph.segments:
                    self.graph.segments[made.output] = self.graph.segments[equation.output]
            if value.variable.name is None:
                value.variable.name = name
            self.moved[equation.output] = value.number
        self.graph.outputs = [self.now(o) for o in self.graph.outputs]
        self.trace.step = None
        return self.graph

    def now(self, operand: Operand) -> Operand:
        """The stable counterpart of an operand, or itself."""
        return self.moved.get(operand, operand) if type(operand) is int else operand

    def current(self, operand: Operand):
        """The traced value of an operand as it is now."""
        return self.value(self.now(operand))

    def by(self, operand: Operand, primitive) -> Equation | None:
        """The equation that makes an operand, looking through broadcasts, if it is of that primitive."""
        equation = self.made.get(self.now(operand)) if type(operand) is int else None  # type: ignore[arg-type]
        while equation is not None and equation.primitive is shaping.BROADCAST_TO is not primitive:
            inner = equation.inputs[0]
            equation = self.made.get(self.now(inner)) if type(inner) is int else None  # type: ignore[arg-type]
        return equation if equation is not None and equation.primitive is primitive else None

    # -- patterns ------------------------------------------------------------------------------------------------
    def _stable(self, e: Equation):
        if e.primitive is arithmetic.DIVIDE:
            return self._softmax(e) if self.by(e.inputs[0], exponential.EXP) else self._sigmoid(e)
        if e.primitive in (exponential.LOG, exponential.LOG1P):
            return self._logarithm(e)
        return self._stable_softplus(e) if e.primitive is arithmetic.ADD else None

    def _stable_softplus(self, e: Equation):
        """max(Z, 0) + log(1 + exp(-|Z|)), also with a term taken off the maximum: its kinks at 0 cancel."""
        for first, second in (e.inputs, e.inputs[::-1]):
            inner = self.by(first, special.SOFTPLUS)
            negated = self.by(inner.inputs[0], arithmetic.NEGATIVE) if inner is not None else None
            size = self.by(negated.inputs[0], arithmetic.ABS) if negated is not None else None
            if size is None or self._mismatch(size, e):
                continue
            if self._is_rectified(second, size.inputs[0]):
                return apply(special.SOFTPLUS, self.current(size.inputs[0]))
            less = self.by(second, arithmetic.SUBTRACT)
            if less is not None and self._is_rectified(less.inputs[0], size.inputs[0]):
                return apply(special.SOFTPLUS, self.current(size.inputs[0])) - self.current(less.inputs[1])
        return None

    def _is_rectified(self, operand: Operand, of: Operand) -> bool:
        """Whether an operand is max(of, 0)."""
        maximum = self.by(operand, arithmetic.MAXIMUM)
        if maximum is None:
            return False
        return any(
            self._number(a) == 0 and self.now(b) == self.now(of) for a, b in (maximum.inputs, maximum.inputs[::-1])
        )

    def _softmax(self, e: Equation):
        """exp(S) / sum(exp(S))."""
        numerator, denominator = e.inputs
        exp = self.by(numerator, exponential.EXP)
        total = self._sum_of_rows(denominator)
        if exp is None or total is None or self.now(total.inputs[0]) != exp.output or len(total.params[0]) != 1:
            return self._sigmoid_of_exp(e, exp)
        if self._is_broadcast(numerator) or not self._rowwise(e, total):
            return None
        (axis,) = total.params[0]
        logits = exp.inputs[0]
        difference = self.by(logits, arithmetic.SUBTRACT)
        if difference is not None:
            if self._detached(difference.inputs[1]):
                self.softmaxes[e.output] = (self.value(self.now(logits)), self._kept_sum(total))
                return None  # the shift is taken out already
            peak = self.by(difference.inputs[1], reduction.MAX)
            same = peak is not None and peak.inputs[0] == difference.inputs[0] and peak.params[0] == (axis,)
            if same and self._rowwise(exp, peak):  # type: ignore[arg-type]
                logits = difference.inputs[0]
        S, T, E = self._shifted(self.current(logits), axis)
        P = E / T
        self.softmaxes[P.number] = (S, T)
        return P

    def _sum_of_rows(self, operand: Operand) -> Equation | None:
        """The equation of a sum, also where its axis was put back by hand: E.sum(1)[:, None]."""
        expanded = self.by(operand, shaping.EXPAND_DIMS)
        total = self.by(expanded.inputs[0] if expanded is not None else operand, reduction.SUM)
        if expanded is None or total is None or total.params[1] or total.params[0] != expanded.params[0]:
            return total if expanded is None else None
        return Equation(total.primitive, total.inputs, (total.params[0], True), expanded.output)

    def _shifted(self, Z, axis: int):
        M = apply(control.SHIFT, np.max(Z, axis=axis, keepdims=True))
        S = Z - M
        E = np.exp(S)
        return S, np.sum(E, axis=axis, keepdims=True), E

    def _kept_sum(self, total: Equation):
        value = self.value(total.output)
        return value if total.params[1] else np.expand_dims(value, total.params[0])

    def _rowwise(self, e: Equation, total: Equation) -> bool:
        """Whether each entry is divided by the sum of its own row."""
        if total.params[1]:
            return True
        ndim = len(self.graph.variables[e.output].shape)
        return ndim == 1 or total.params[0] == (0,)

    def _is_broadcast(self, operand: Operand) -> bool:
        made = self.made.get(operand) if type(operand) is int else None  # type: ignore[arg-type]
        return made is not None and made.primitive is shaping.BROADCAST_TO

    def _detached(self, operand: Operand) -> bool:
        return bool(self.by(operand, control.STOP_GRADIENT) or self.by(operand, control.SHIFT))

    def _number(self, operand: Operand) -> float | None:
        if isinstance(operand, Literal) and isinstance(operand.value, (int, float, np.number)):
            return float(operand.value)
        full = self.by(operand, control.FULL)
        return float(full.params[0]) if full is not None else None

    def _one_plus(self, operand: Operand, primitive) -> Equation | None:
        """The equation of x in 1 + x, if x is made by that primitive."""
        add = self.by(operand, arithmetic.ADD)
        if add is None:
            return None
        for one, other in (add.inputs, add.inputs[::-1]):
            if self._number(one) == 1:
                return self.by(other, primitive)
        return None

    def _sigmoid(self, e: Equation):
        """1 / (1 + exp(-Z))."""
        if self._number(e.inputs[0]) != 1:
            return None
        exp = self._one_plus(e.inputs[1], exponential.EXP)
        if exp is None or self._mismatch(exp, e):
            return None
        negated = self.by(exp.inputs[0], arithmetic.NEGATIVE)
        logit = negated.inputs[0] if negated is not None else None
        A = self._make_sigmoid(self.current(logit) if logit is not None else -self.current(exp.inputs[0]))
        if self._unmoved_in_value(e):
            self.graph.same[A.number] = e.output  # right at every logit as the user spelled it: computed once
        return A

    def _unmoved_in_value(self, e: Equation) -> bool:
        """Whether every operand that has moved has the value that it had."""
        return all(self.moved[i] in self.graph.same for i in e.inputs if type(i) is int and i in self.moved)

    def _sigmoid_of_exp(self, e: Equation, exp: Equation | None):
        """exp(Z) / (1 + exp(Z))."""
        other = self._one_plus(e.inputs[1], exponential.EXP)
        if exp is None or other is None or other.output != exp.output or self._mismatch(exp, e):
            return None
        return self._make_sigmoid(self.current(exp.inputs[0]))

    def _mismatch(self, inner: Equation, outer: Equation) -> bool:
        return self.shape(inner.output) != self.shape(outer.output)

    def _make_sigmoid(self, logit):
        A = apply(special.SIGMOID, logit)
        self.sigmoids[A.number] = logit.number
        return A

    def _logarithm(self, e: Equation):
        (x,) = e.inputs
        if e.primitive is exponential.LOG1P:
            exp = self.by(x, exponential.EXP)
            if exp is not None and not self._mismatch(exp, e):
                return apply(special.SOFTPLUS, self.current(exp.inputs[0]))
            negated = self.by(x, arithmetic.NEGATIVE)
            logit = self._logit(negated.inputs[0]) if negated is not None else None
            return -apply(special.SOFTPLUS, logit) if logit is not None else None
        found = self._log_of(x)
        if found is not None:
            return found
        picked = self.by(x, indexing.INDEX)
        if picked is not None:
            log = self._log_of(picked.inputs[0])
            if log is not None:
                arrays = tuple(map(self.current, picked.inputs[1:]))
                return apply(indexing.INDEX, log, *arrays, params=picked.params)
        return self._log_of_selected(x)

    def _log_of_selected(self, x: Operand):
        """log(where(m, 1, P)): the guard around 0 log 0."""
        selected = self.by(x, comparison.WHERE)
        if selected is None:
            return None
        condition, guard, inner = selected.inputs
        log = self._log_of(inner) if self._number(guard) == 1 else None
        return np.where(self.current(condition), 0.0, log) if log is not None else None

    def _logit(self, operand: Operand):
        number = self.now(operand)
        if type(number) is int and number in self.sigmoids:
            return self.value(self.sigmoids[number])
        return None

    def _log_of(self, x: Operand):
        """The stable logarithm of a softmax, a sigmoid, one minus a sigmoid, a sum of exponentials, one plus one."""
        number = self.now(x)
        if type(number) is int and number in self.softmaxes:
            S, T = self.softmaxes[number]
            return S - np.log(T)
        logit = self._logit(x)
        if logit is not None:
            return -apply(special.SOFTPLUS, -logit)
        rest = self.by(x, arithmetic.SUBTRACT)
        if rest is not None and self._number(rest.inputs[0]) == 1:
            logit = self._logit(rest.inputs[1])
            if logit is not None:
                return -apply(special.SOFTPLUS, logit)
        exp = self._one_plus(x, exponential.EXP)
        if exp is not None and exp.output != x and self._same_size(exp, x):
            return apply(special.SOFTPLUS, self.current(exp.inputs[0]))
        return self._log_sum_exp(x)

    def _same_size(self, exp: Equation, x: Operand) -> bool:
        return self.shape(exp.output) == self.shape(x)

    def _log_sum_exp(self, x: Operand):
        total = self.made.get(self.now(x)) if type(x) is int else None  # type: ignore[arg-type]
        if total is None or total.primitive is not reduction.SUM:
            return None
        exp = self.by(total.inputs[0], exponential.EXP)
        if exp is None or self._is_broadcast(total.inputs[0]):
            return None
        difference = self.by(exp.inputs[0], arithmetic.SUBTRACT)
        if difference is not None and (
            self._detached(difference.inputs[1]) or self.by(difference.inputs[1], reduction.MAX) is not None
        ):
            return None  # shifted by its maximum already
        Z = self.current(exp.inputs[0])
        axes, keepdims = total.params
        M = apply(control.SHIFT, np.max(Z, axis=axes, keepdims=True))
        result = M + np.log(np.sum(np.exp(Z - M), axis=axes, keepdims=True))
        return result if keepdims else np.squeeze(result, axes)
