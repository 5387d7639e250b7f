"""The tape: a trace gives numbers to traced values and writes down every operation on them.

The one idea: a trace has a *level*, and an operation is recorded by the highest level among its operands; values of
lower levels are constants there. There is no global state, so threads and nested derivatives never meet.

Two ways to trace, one code: a *concrete* trace computes each value while it records (`grad` and kin), an abstract one
(`staged=True`, and the builder of every derived graph) only works out shape and dtype by the primitive's own rules.
What NumPy does silently is written down: broadcasting as `broadcast_to`, promotion as `convert`. They are recorded, not
executed, because the operation that follows does it anyway.

A trace never interprets what it records.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, LeakedTracerError, ShapeError, UnsupportedError
from chainrule.frames import ENGINE, place_text, running_code, target_of_running_line
from chainrule.graphs import Equation, Graph, Literal, Operand, Origin, Step, Variable
from chainrule.places import place_of, user_frame
from chainrule.primitive import Primitive, apply
from chainrule.primitives.shaping import BROADCAST_TO, CONVERT
from chainrule.pytree import Recorder
from chainrule.quick import QuickRecording, dtype_of
from chainrule.shapes import SizeScope, broadcast_shapes, str_shape
from chainrule.sharing import VIEWS, handle, share
from chainrule.sizes import Size

_levels = itertools.count()
_NUMBERS = (int, float, bool, np.generic)


class Trace(QuickRecording):
    """One recording; see the module's docstring.

    Parameters
    ----------
    concrete : bool
        Whether values are computed while recording.
    scope : SizeScope, optional
        The named sizes, when staging.
    places : bool
        Whether lines and names are looked up (0.5 microseconds an operation).
    """

    __slots__ = (
        "alive",
        "base",
        "calls",
        "concrete",
        "constant_numbers",
        "entered",
        "graph",
        "kept",
        "labels",
        "level",
        "needed",
        "places",
        "plan",
        "quick",
        "refusal",
        "scope",
        "sources",
        "step",
        "tracer_class",
        "values",
    )

    def __init__(self, tracer_class: Any, *, concrete: bool, scope: SizeScope | None = None, places: bool = False):
        self.level = next(_levels)
        self.graph = Graph(scope=scope)
        self.values: list[Any] = []  # by variable; None where it was recorded but not computed
        self.concrete = concrete
        self.scope = scope
        self.places = places
        self.needed: Any = None  # the values to hold on to; others go as soon as the function lets go of them
        self.quick = concrete and not places  # every value is plain: see `_record_quickly`
        self.alive = True
        self.calls: tuple[tuple[int, str], ...] = ()
        self.constant_numbers: dict[Any, int] = {}
        self.kept: list[Any] = []  # whose ids are keys above
        self.step: Step | None = None  # stamped on equations while a derivation rule runs
        self.tracer_class = tracer_class
        self.base: Trace | None = None  # the staged trace under this one, or itself
        self.sources: dict[int, tuple[Any, Any]] = {}  # id of a copy that a nested trace made -> (copy, original)
        self.labels: Any = None  # while staging: stand-ins for integer arrays (`labels.py`)
        self.entered: list[Any] | None = None  # while staging: every literal, constant and parameter, in order
        self.plan: dict[int, Any] = {}  # what the second trace found to follow a size, by place in that order
        self.refusal: ChainruleError | None = None  # the last one: NumPy sometimes swallows it

    # -- values that enter ---------------------------------------------------------------------------------------
    def input(self, value: Any = None, variable: Variable | None = None):
        """A new input: of a value (concrete), or of a variable's shape and dtype (abstract)."""
        if type(value) is np.ndarray:
            variable = variable or Variable(value.shape, value.dtype)
        else:
            variable = variable or Variable(dims_of(value), dtype_of(value), is_weak(value))
            refuse_other_meanings(value)
            if isinstance(value, Recorder):
                self.quick = False
                value = handle(value)  # what is written into it later must not reach the backward pass
        number = self._number(variable, value)
        self.graph.inputs.append(number)
        return self.tracer_class(self, number, value, variable, False)

    def _number(self, variable: Variable, value: Any) -> int:
        self.graph.variables.append(variable)
        self.values.append(value)
        return len(self.graph.variables) - 1  # not of the values: they are dropped when the trace ends

    def constant(self, value: Any) -> int:
        """The number of a captured array, or of a value of a lower trace."""
        if isinstance(value, Recorder):
            self.quick = False
            if self.base is None:
                self.base = value.trace.base
            key: Any = (value.level, value.number)  # type: ignore[attr-defined]
            number = self.constant_numbers.get(key)
            if number is None:
                if not value.trace.alive:
                    raise value.trace._leaked((value,))
                value = handle(value)
                number = self._number(Variable(dims_of(value), value.dtype, is_weak(value)), value)  # type: ignore[attr-defined]
                self.constant_numbers[key] = number
                self.graph.constants[number] = value
            return number
        if self.base is not None and self.base.labels is not None:
            found = self.base.labels.recognise(value)
            if found is not None:
                return self.operand(found)  # type: ignore[return-value]
        key = id(value)
        number = self.constant_numbers.get(key)
        if number is not None and (_is_fixed(value) or _same_bits(value, self.values[number])):
            return number
        if type(value) is not np.ndarray:
            refuse_other_meanings(value)
        # what the function writes into the array later must not reach the backward pass
        kept = value if _is_fixed(value) else value.copy()
        if kept.dtype.kind not in "fiub":
            raise UnsupportedError(
                f"an array of dtype {kept.dtype} met a traced value ({self.line()}); only real numbers and booleans can"
            )
        kept.flags.writeable = False
        if self.base is not None and self.base is not self and kept is not value:
            self.base.sources[id(kept)] = (kept, value)
        number = self._number(Variable(kept.shape, kept.dtype), kept)
        self.kept.append(value)
        self.constant_numbers[key] = number
        self.graph.constants[number] = kept
        return number

    def _enter(self, item: Any) -> Any:
        """Note what enters from outside while staging; answer what the plan puts in its place."""
        base = self.base
        if base is None or base.entered is None or base.step is not None:
            return None
        base.entered.append((item, place_text()))
        lifted = base.plan.get(len(base.entered) - 1)
        if lifted is None:
            return None
        entered, base.entered = base.entered, None
        places, base.places = base.places, False
        try:
            return lifted(base)
        finally:
            base.entered, base.places = entered, places

    def operand(self, value: Any) -> Operand:
        """What an equation refers to: a variable's number, or a literal."""
        if type(value) is Size:
            value = value.tracer()
        if isinstance(value, _NUMBERS) and not isinstance(value, Recorder):
            return Literal(value)
        if isinstance(value, Recorder):
            if value.trace is self:
                return value.number  # type: ignore[attr-defined]
            return self.constant(value)
        if isinstance(value, np.ndarray):
            return self.constant(value)
        if isinstance(value, (list, tuple)):
            return self.constant(np.asarray(value))
        raise UnsupportedError(f"a {type(value).__name__} met a traced value ({self.line()}); use arrays and numbers")

    # -- recording -----------------------------------------------------------------------------------------------
    def record(self, primitive: Primitive, operands: tuple, params: tuple = (), weak: bool = False):
        """Write down `primitive(*operands, *params)` and return its traced result."""
        if not self.alive:
            raise self._leaked(operands)
        try:
            if self.quick:
                done = self._record_quickly(primitive, operands, params, weak)
                if done is not None:
                    return done
            operands = tuple(o.tracer() if type(o) is Size else o for o in operands)
            return self._record(primitive, operands, params, weak)
        except (LeakedTracerError, UnsupportedError):
            raise
        except ShapeError as error:
            raise self._located(error, primitive, operands, params) from None
        except (ValueError, IndexError) as error:
            if self.concrete and not isinstance(error, ChainruleError):
                raise self._located(error, primitive, operands, params) from error
            raise

    def _record(self, primitive: Primitive, operands: tuple, params: tuple, weak: bool):
        graph = self.graph
        base = self.base
        if base is not None and base.entered is not None:
            operands, params = self._entering(operands, params)
        inputs: list[Operand] = []
        values: list[Any] = []
        lower = False
        for o in operands:
            if type(o) is self.tracer_class and o.trace is self:
                inputs.append(o.number)
                o = o.value
            else:
                inputs.append(self.operand(o))
                if isinstance(o, (np.ndarray, list, tuple)):
                    o = self.values[inputs[-1]]  # type: ignore[index]
            lower = lower or isinstance(o, Recorder)
            values.append(o)
        if self.concrete and not operands and self.base is not None:
            return self._computed_below(primitive, values, params, weak)
        if self.concrete:
            if weak and primitive.operator is not None:
                value = primitive.operator(*values)
            elif lower:
                value = self._computed_below(primitive, values, params)
            else:
                value = primitive.forward(*values, *params)
                if type(value) is not np.ndarray and not isinstance(value, np.generic):
                    value = np.asarray(value)[()]
            variable = Variable(dims_of(value), value.dtype if not weak else dtype_of(value), weak)
            if self.scope is None and lower:
                params = tuple(map(plain, params))
        else:
            value = None
            params = tuple(map(plain, params))
            seen = [graph.variables[i] if type(i) is int else i.value for i in inputs]  # type: ignore[union-attr]
            shape = _broadcast_of(seen) if primitive.broadcasts else primitive.shape_rule(*seen, *params)
            if self.scope is not None:
                shape = tuple(map(self.scope.resolve, shape))
            variable = Variable(shape, primitive.dtype_rule(*seen, *params), weak)
        if primitive.converts_from is not None and not weak:
            self._convert(inputs, primitive.converts_from, variable.dtype)
        if primitive.broadcasts and variable.shape:
            self._broadcast(inputs, variable.shape)
        origin = None
        if self.places:
            origin, variable.name = self._origin()
            variable.depth = len(self.calls)
        number = self._number(variable, value)
        graph.equations.append(Equation(primitive, tuple(inputs), params, number, origin, self.step))
        result = self.tracer_class(self, number, value, variable, True)
        if primitive in VIEWS:
            share(result, operands[0], primitive, params)
        return result

    def _entering(self, operands: tuple, params: tuple) -> tuple[tuple, tuple]:
        """Operands and parameters with what follows a size lifted to it."""
        replaced = []
        labels = self.base.labels if self.base is not None else None
        for o in operands:
            found = labels.recognise(o) if labels is not None and isinstance(o, np.ndarray) else None
            if found is not None:
                o = found
            elif isinstance(o, _NUMBERS) and type(o) is not bool or isinstance(o, np.ndarray):
                lifted = None if type(o) is Size else self._enter(o)
                o = o if lifted is None else lifted
            replaced.append(o)
        if params:
            lifted = self._enter(tuple(map(plain, params)))
            params = params if lifted is None else lifted
        return tuple(replaced), params

    def _computed_below(self, primitive: Primitive, values: list, params: tuple, weak: bool = False) -> Any:
        """The value, recorded by the lower trace; what entered was noted here already."""
        base = self.base
        if base is None:
            return apply(primitive, *values, params=params)
        entered, base.entered = base.entered, None
        step, base.step = base.step, self.step or base.step
        try:
            if not values:  # sizes and constants belong to the staged trace itself
                return base.record(primitive, (), params, weak)
            return apply(primitive, *values, params=params)
        finally:
            base.entered, base.step = entered, step

    def _convert(self, inputs: list[Operand], first: int, dtype: np.dtype) -> None:
        """Record the promotions that NumPy does silently."""
        for place in range(first, len(inputs)):
            i = inputs[place]
            if type(i) is int and self.graph.variables[i].dtype != dtype:
                inputs[place] = self._unexecuted(CONVERT, i, (dtype,), self.graph.variables[i].shape, dtype)

    def _broadcast(self, inputs: list[Operand], shape: tuple) -> None:
        """Record the broadcasts that NumPy does silently."""
        for place, i in enumerate(inputs):
            if type(i) is int:
                variable = self.graph.variables[i]
                if variable.shape != shape and (self.scope is None or not self._resolves(variable.shape, shape)):
                    inputs[place] = self._unexecuted(BROADCAST_TO, i, (shape,), shape, variable.dtype)

    def _resolves(self, left: tuple, right: tuple) -> bool:
        resolve = self.scope.resolve  # type: ignore[union-attr]
        return tuple(map(resolve, left)) == tuple(map(resolve, right))

    def _unexecuted(self, primitive: Primitive, source: int, params: tuple, shape: tuple, dtype: np.dtype) -> int:
        number = self._number(Variable(shape, dtype), None)
        origin = self._origin()[0] if self.places else None
        self.graph.equations.append(Equation(primitive, (source,), params, number, origin, self.step))
        return number

    # -- where ---------------------------------------------------------------------------------------------------
    def _origin(self) -> tuple[Origin | None, str | None]:
        frame = user_frame(ENGINE)
        if frame is None:
            return None, None
        place = place_of(frame.f_code, frame.f_lasti)
        # a derived equation is named after what it is derived from, not by the line that asked for the derivative
        name = target_of_running_line() if self.step is None else None
        return Origin(place.filename, place.line, place.function, self.calls), name

    def __call__(self, *args, **kwargs):
        """`x.trace()`: a traced value's `trace` is this recording, not the sum of its diagonal."""
        raise UnsupportedError(f"x.trace() cannot be traced; {place_text()}. Write np.trace(x).")

    def line(self) -> str:
        """`line 4 of loss()`: the user's running line."""
        return place_text()

    def _leaked(self, operands: tuple) -> LeakedTracerError:
        made = ""
        for o in operands:
            if isinstance(o, Recorder) and o.trace is self:
                number = getattr(o, "number", None)
                origin = next((e.origin for e in self.graph.equations if e.output == number), None)
                made = f" made on {origin}" if origin is not None else ""
        return LeakedTracerError(
            f"a traced value{made} is used after its trace ended ({place_text()}); it was kept outside the function: "
            "return it instead"
        )

    def _located(self, error: Exception, primitive: Primitive, operands: tuple, params: tuple) -> ShapeError:
        """The error with the user's expression, the operands' shapes and the line."""
        if "; line " in str(error):
            return error if isinstance(error, ShapeError) else ShapeError(str(error))
        seen = [Variable(dims_of(o), dtype_of(o)) if hasattr(o, "shape") else o for o in operands]
        try:  # our own rule says it in the words of shapes
            primitive.shape_rule(*seen, *map(plain, params))
            if primitive.broadcasts:
                _broadcast_of(seen)
        except ShapeError as clearer:
            error = clearer
        except (TypeError, AttributeError, IndexError, ValueError):
            pass
        shapes = " and ".join(str_shape(o.shape) for o in seen if isinstance(o, Variable))
        code = running_code()
        return ShapeError(f"{code or primitive.name} with {shapes}: {error}; {place_text()}")

    # -- named calls ---------------------------------------------------------------------------------------------
    def call(self, function, args: tuple, kwargs: dict):
        """Run a function of `cr.nn` as a named call: its equations carry the scope."""
        traces = (self,) if self.base is None or self.base is self else (self, self.base)
        before = [trace.calls for trace in traces]
        for trace in traces:
            trace.calls = (*trace.calls, (len(trace.graph.equations), function.__name__))
        try:
            return function(*args, **kwargs)
        finally:
            for trace, calls in zip(traces, before, strict=True):
                trace.calls = calls

    def originals(self) -> dict[int, Any]:
        """The user's array behind each captured constant, where it entered once and was not written since."""
        known = {id(value): value for value in self.kept}
        found = {number: known[key] for key, number in self.constant_numbers.items() if key in known}
        found = {number: self.sources.get(id(value), (None, value))[1] for number, value in found.items()}
        entered = [id(value) for value in found.values()]
        versions = [id(source) for _, source in self.sources.values()]
        return {
            number: value
            for number, value in found.items()
            if entered.count(id(value)) == 1
            and versions.count(id(value)) <= 1
            and _same_bits(value, self.graph.constants.get(number, value))
        }

    # -- the end -------------------------------------------------------------------------------------------------
    def close(self) -> None:
        """End the trace: a value that leaked fails at its next use."""
        self.quick = False
        self.alive = False
        self.values = []
        self.constant_numbers = {}
        self.kept = []


def refuse_other_meanings(value: Any) -> None:
    """Raise for matrices and masked arrays: `*` means another thing there, or entries are left out."""
    if getattr(value, "__array_priority__", 0) > 0 and isinstance(value, np.ndarray):
        raise UnsupportedError(
            f"a {type(value).__name__} cannot be traced ({place_text()}): its operators mean other things than an "
            "array's; pass np.asarray(x), and mask with np.where"
        )


def _is_fixed(value: np.ndarray) -> bool:
    """Whether nobody can write into the array, not even through what it is a view of."""
    array: Any = value
    while isinstance(array, np.ndarray):
        if array.flags.writeable:
            return False
        array = array.base
    return True


def _same_bits(left: np.ndarray, right: np.ndarray) -> bool:
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    if left.nbytes <= 4096:
        return left.tobytes() == right.tobytes()
    return bool(np.array_equal(left, right, equal_nan=left.dtype.kind == "f"))


def _broadcast_of(seen: list) -> tuple:
    return broadcast_shapes(*(o.shape for o in seen if hasattr(o, "shape")))


def plain(param: Any) -> Any:
    """A parameter with faces of sizes replaced by their expressions."""
    if type(param) is Size:
        return param.trace.scope.resolve(param.expr)
    if type(param) is tuple:
        return tuple(map(plain, param))
    return param


def dims_of(value: Any) -> tuple:
    """The shape of a value: ints, and expressions where it is traced abstractly."""
    variable = getattr(value, "variable", None)
    if variable is not None:
        return variable.shape
    return getattr(value, "shape", ())


def is_weak(value: Any) -> bool:
    """Whether a value takes the dtype of what it meets, as Python scalars do."""
    return type(value) in (int, float, bool) or getattr(value, "weak", False)
