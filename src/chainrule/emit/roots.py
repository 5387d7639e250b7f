"""Which variables are computed on their own, and which inside of what reads them.

The one idea: what is read once, element for element, costs nothing where it is read. A root is what is read twice, or as
a whole array, or by rows that repeat it; everything else is absorbed.
"""

from __future__ import annotations

from chainrule.emit.reading import FORMULAS, REDUCTIONS, VIEWS, WHOLE, Reading, identity, is_slice, is_swap
from chainrule.graphs import Graph, Operand
from chainrule.primitives import control, indexing, linear_algebra
from chainrule.shapes import SizeExpr

DEEPEST = 12  # how many equations are absorbed into one expression


class Roots(Reading):
    """Chooses the roots of a graph.

    Attributes
    ----------
    in_place : dict of int to int
        Outputs that take an input's memory, as far as nothing reads that input afterwards.
    absorbed : set of int
        Variables computed inside of their only reader.
    whole : set of int
        What is read as a whole array.
    """

    def __init__(self, graph: Graph, in_place: dict[int, int] | None = None, shared_axis: SizeExpr | None = None):
        super().__init__(graph, shared_axis)
        self.in_place = dict(in_place or {})
        self.absorbed: set[int] = set()
        self.whole: set[int] = set()
        self.roots = self._copies()
        self._choose_roots()
        self._find_updates()
        self._keep_what_is_read_later()

    def is_root(self, variable: int) -> bool:
        """Whether the variable is computed on its own."""
        equation = self.made.get(variable)
        return equation is not None and variable in self.roots

    def _copies(self) -> set[int]:
        """Views that something reads as an array: only a transposed matrix is one for BLAS."""
        found: set[int] = set()
        for equation in self.graph.equations:
            primitive = equation.primitive
            for place, operand in enumerate(equation.inputs):
                whole = primitive in WHOLE and not (primitive is indexing.INDEX_ADD and place == 0)
                if whole or (primitive is indexing.INDEX and not is_slice(equation)):
                    found |= self._not_an_array(operand, transposed=primitive is linear_algebra.MATMUL)
        for output in self.graph.outputs:
            found |= self._not_an_array(output, transposed=False)
        return found

    def _not_an_array(self, operand: Operand, *, transposed: bool) -> set[int]:
        start = operand
        while type(operand) is int:
            equation = self.made.get(operand)
            if equation is None or not (equation.primitive in VIEWS or is_slice(equation)):
                return set()
            if equation.primitive not in (control.STOP_GRADIENT, control.SHIFT, control.HOLD):
                if not (transposed and is_swap(equation)):
                    return {start}  # type: ignore[arg-type]
                transposed = False
            operand = equation.inputs[0]
        return {start} if type(start) is int else set()  # a number spread over an array

    def _choose_roots(self) -> None:
        uses: dict[int, int] = {}
        spread: set[int] = set()  # read through a broadcast: computed once, not for every copy
        for equation in self.graph.equations:
            if (equation.primitive in VIEWS or is_slice(equation)) and equation.output not in self.roots:
                continue
            for place, operand in enumerate(equation.inputs):
                source, through = self.source(operand)
                if source is None:
                    continue
                uses[source] = uses.get(source, 0) + 1
                if through:
                    spread.add(source)
                if equation.primitive in WHOLE and not (equation.primitive is indexing.INDEX_ADD and place == 0):
                    self.whole.add(source)
                if equation.primitive is indexing.INDEX and place == 0:
                    self.whole.add(source)
        for output in self.graph.outputs:
            source, _ = self.source(output)
            if source is not None:
                uses[source] = uses.get(source, 0) + 2
                self.whole.add(source)
        depth: dict[int, int] = {}
        for equation in self.graph.equations:
            variable, primitive = equation.output, equation.primitive
            if primitive in VIEWS or is_slice(equation) or variable in self.roots:
                continue
            depth[variable] = 1 + max((depth.get(self.source(i)[0], 0) for i in equation.inputs), default=0)  # type: ignore[arg-type]
            if primitive in FORMULAS:
                if variable in self.whole:
                    self.roots.add(variable)
                    depth[variable] = 0
                continue
            if (
                primitive in REDUCTIONS
                or primitive in WHOLE
                or uses.get(variable, 0) != 1
                or variable in self.whole
                or variable in spread
                or depth[variable] > DEEPEST
            ):
                self.roots.add(variable)
                depth[variable] = 0
            else:
                self.absorbed.add(variable)

    def _find_updates(self) -> None:
        """`W - lr * (A.T @ D)`, stored into W's own memory, is one product that adds into W."""
        uses = self.graph.uses()
        for output, target in self.in_place.items():
            equation = self.made.get(output)
            if equation is None or equation.primitive.name not in ("add", "subtract"):
                continue
            left, right = equation.inputs
            if left != target or type(right) is not int:
                continue
            found = self._scaled_product(right, uses)
            if found is not None:
                factor, product = found
                sign = -1.0 if equation.primitive.name == "subtract" else 1.0
                self.folded[output] = (target, sign * factor, product)
                self.roots.discard(product)
                self.absorbed.discard(right)

    def _scaled_product(self, variable: int, uses: dict[int, int]) -> tuple[float, int] | None:
        factor = 1.0
        while uses.get(variable, 0) == 1:
            equation = self.made.get(variable)
            if equation is None:
                return None
            if equation.primitive is linear_algebra.MATMUL and len(self.shape(variable)) == 2:
                return factor, variable
            literals = [i for i in equation.inputs if type(i) is not int]
            others = [i for i in equation.inputs if type(i) is int]
            if equation.primitive.name == "multiply" and len(literals) == 1 and len(others) == 1:
                factor *= float(literals[0].value)  # type: ignore[union-attr]
            elif equation.primitive.name == "negative":
                factor = -factor
            else:
                return None
            variable = others[0]
        return None

    def _keep_what_is_read_later(self) -> None:
        """An output may take an input's memory only if nothing reads that input afterwards."""
        order = {e.output: place for place, e in enumerate(self.graph.equations)}
        targets = {target: output for output, target in self.in_place.items()}
        for equation in self.graph.equations:
            if not self.is_root(equation.output):
                continue
            for source, index in self.reads(equation):
                output = targets.get(source)
                if output is None or output not in order:
                    continue
                mine = equation.output == output
                elsewhere = (
                    mine and output not in self.folded and (index is None or index != identity(self.shape(source)))
                )
                if elsewhere or order[equation.output] > order[output]:
                    self.in_place.pop(output, None)
                    fold = self.folded.pop(output, None)
                    if fold is not None:
                        self.roots.add(fold[2])
