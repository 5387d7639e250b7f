"""What works on whole arrays: matrix products through BLAS, reshapes, concatenations."""

from __future__ import annotations

from chainrule.emit.elements import INDENT, Body, Elements, literal
from chainrule.emit.reading import is_swap
from chainrule.emit.scalars import BITS
from chainrule.emit.tiled import Finish
from chainrule.errors import UnsupportedError
from chainrule.graphs import Equation, Operand
from chainrule.primitives import linear_algebra, shaping


class Arrays(Elements):
    """Writes the nodes of a schedule that are no loops."""

    def whole_array(self, variable: int, body: Body) -> None:
        """A product, a reshape or a concatenation."""
        equation = self.schedule.made[variable]
        primitive = equation.primitive
        name = self.buffer_name(variable) if variable in self.storage.buffers else self.names[variable]
        if variable in self.schedule.folded:
            _, factor, product = self.schedule.folded[variable]
            self.product(self.schedule.made[product], name, body, factor, "1.0")
        elif primitive is linear_algebra.MATMUL:
            self.product(equation, name, body, 1.0, "0.0")
        elif primitive is shaping.RESHAPE:
            source = self.array(equation.inputs[0])
            shape = self.schedule.shape(variable)
            inner = ", ".join(map(self.dim, shape))
            if not self.schedule.shape(self.schedule.source(equation.inputs[0])[0]):  # type: ignore[arg-type]
                body.line(f"{name} = np.full(({inner}{',' if len(shape) == 1 else ''}), {source})")
            elif not shape:
                body.line(f"{name} = {source}.reshape(1)[0]")
            elif variable in self.storage.buffers and self.storage.buffers[variable].owner in self.graph.inputs:
                body.line(f"{name}[...] = {source}.reshape(({inner}{',' if len(shape) == 1 else ''}))")
            else:
                body.line(f"{name} = {source}.reshape(({inner}{',' if len(shape) == 1 else ''}))")
        else:
            (axis,) = equation.params
            begin: object = 0
            for operand in equation.inputs:
                colons = ":, " * axis
                value = self.array(operand) if type(operand) is int else literal(operand.value, self.kind(variable))  # type: ignore[union-attr]
                if primitive is shaping.STACK:
                    body.line(f"{name}[{colons}{begin}] = {value}")
                    begin += 1  # type: ignore[operator]
                    continue
                end = begin + self.schedule.shape(operand)[axis]  # type: ignore[operator, index, arg-type]
                body.line(f"{name}[{colons}{self.dim(begin)}:{self.dim(end)}] = {value}")
                begin = end

    def tiled(
        self, equation: Equation, name: str, body: Body, alpha: float, beta: str, finish: Finish | None = None
    ) -> bool:
        """Write a product as the call of a kernel of its shape, if its sizes are known."""
        assert self.tiles is not None
        dtype = self.kind(equation.output)
        (a, flip_a), (b, flip_b) = map(self.factor, equation.inputs)
        (rows, inner), (_, columns) = (self.schedule.shape(i) for i in equation.inputs)  # type: ignore[arg-type]
        if flip_a == "t":
            if not isinstance(rows, int) or not isinstance(columns, int) or flip_b == "t":
                return False
            kernel = self.tiles.gradient(dtype, rows, columns, update=beta != "0.0")
            body.line(f"{kernel}({a}, {b}, {name}, {self.dim(inner)}, {dtype.name}({alpha!r}), 0, {rows})")
            return True
        if not isinstance(inner, int) or not isinstance(columns, int) or beta != "0.0" or alpha != 1.0:
            return False
        if flip_b == "t":
            matrix, b = b, self.tiles.transposed(b, columns, inner, dtype)
            if not self.tiles_ahead:
                body.line(self.tiles.transposition(matrix))
        count = self.rows_name if self.rows_name and rows == self.schedule.shared_axis else self.dim(rows)
        kind = finish.kind if finish is not None else "store"
        extra = f", {self.array(finish.array)}" if finish is not None else ""
        if kind == "mask" and extra == f", {name}":
            kind, extra = "mask_in_place", ""
        kernel = self.tiles.product(dtype, inner, columns, kind)
        body.line(f"{kernel}({a}, {b}, {name}, 0, {count}{extra})")
        return True

    def array(self, operand: Operand) -> str:
        """The array behind an operand that is read as a whole."""
        root, _ = self.schedule.source(operand)
        if root is None:
            raise UnsupportedError("a number where an array is needed is not compiled yet")
        return self.buffer_name(root) if root in self.storage.buffers else self.names[root]

    def factor(self, operand: Operand) -> tuple[str, str]:
        """A matrix of a product, and "t" if it is read transposed."""
        flipped = False
        while type(operand) is int and operand not in self.schedule.roots:
            equation = self.schedule.made.get(operand)
            if equation is None:
                break
            flipped ^= is_swap(equation)
            operand = equation.inputs[0]
        return self.array(operand), "t" if flipped else "n"

    def product(self, equation: Equation, name: str, body: Body, alpha: float, beta: str) -> None:
        """A matrix product: `name = alpha A B + beta name`."""
        dtype = self.kind(equation.output)
        if dtype.name not in BITS:
            raise UnsupportedError(f"a product of {dtype} matrices is not compiled yet")
        (a, flip_a), (b, flip_b) = map(self.factor, equation.inputs)
        scalar = dtype.name
        shape_a, shape_b = (self.schedule.shape(i) for i in equation.inputs)  # type: ignore[arg-type]
        for operand in equation.inputs:
            if self.kind(operand) != dtype:  # type: ignore[arg-type]
                raise UnsupportedError("a product of matrices of two dtypes is not compiled yet")
        if self.tiles is not None and len(shape_a) == 2 and self.tiled(equation, name, body, alpha, beta):
            return
        tail = f"{scalar}({alpha!r}), {scalar}({beta})"
        call = f"product_{flip_a}{flip_b}"
        if len(shape_a) == 2:
            body.line(f"{call}(gemm{BITS[scalar]}, {a}, {b}, {name}, {tail})")
            return
        if len(shape_b) == 2 and flip_a == "n":
            flat = f"{a}.reshape((-1, {self.dim(shape_a[-1])}))"
            out = f"{name}.reshape((-1, {self.dim(self.schedule.shape(equation.output)[-1])}))"
            body.line(f"{call}(gemm{BITS[scalar]}, {flat}, {b}, {out}, {tail})")
            return
        if len(shape_a) == 3 and len(shape_b) == 3:
            body.line(f"for i in range({self.dim(shape_a[0])}):")
            body.line(f"{INDENT}{call}(gemm{BITS[scalar]}, {a}[i], {b}[i], {name}[i], {tail})")
            return
        raise UnsupportedError("a product of stacks of stacks is not compiled yet")
