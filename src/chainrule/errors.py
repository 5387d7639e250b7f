"""Every exception that chainrule raises, on the ground floor.

The tree; each class is also the built-in that a caller would expect to catch::

    ChainruleError
    ├── ShapeError        (ValueError)           shapes that do not fit
    │   └── GuardError                           a staged program called with sizes it was not made for
    ├── DtypeError        (TypeError)            integers, booleans, objects where floats are needed
    ├── ArgumentError     (ValueError)           wrt, argnames, options
    │   └── FormulaError                         a formula given as text that cannot be read or evaluated
    ├── UnsupportedError  (TypeError)            NumPy that cannot be traced, with what to write instead
    │   └── ControlFlowError                     `if`, `float()`, `int()` on a value that is not known yet
    ├── LeakedTracerError (RuntimeError)         a traced value used after its trace ended
    ├── GraphError        (RuntimeError)         an invalid graph: a mistake of ours, never of the user
    ├── CompileError      (RuntimeError)         no machine code could be made of a program
    ├── DataError         (ValueError)           a table that cannot be trained on
    └── FileFormatError   (ValueError)           a weights file that is damaged or foreign

A message says what (with names and numbers), where (the user's line) and how to mend it.
"""


class ChainruleError(Exception):
    """The root: catch it to catch everything that chainrule raises on purpose."""


class ShapeError(ChainruleError, ValueError):
    """Shapes do not fit: the message names both operands, their shapes and the line."""


class GuardError(ShapeError):
    """A staged program was called with sizes that its guards do not allow."""


class DtypeError(ChainruleError, TypeError):
    """A dtype that has no derivative, or no place in the operation."""


class ArgumentError(ChainruleError, ValueError):
    """An argument of a chainrule function names something that is not there."""


class FormulaError(ArgumentError):
    """A formula given as text cannot be read or evaluated; the message points at the place."""


class UnsupportedError(ChainruleError, TypeError):
    """NumPy code that cannot be traced; the message says what to write instead."""


class ControlFlowError(UnsupportedError):
    """Python asked for a value that a staged trace does not know (`if`, `while`, `float()`)."""


class LeakedTracerError(ChainruleError, RuntimeError):
    """A traced value outlived its trace, for example in a list outside the function."""


class GraphError(ChainruleError, RuntimeError):
    """A graph broke its own laws; please report it with the graph's text form."""


class CompileError(ChainruleError, RuntimeError):
    """No machine code could be made of a program; NumPy can still run it."""


class DataError(ChainruleError, ValueError):
    """A table, column or value that cannot be trained on."""


class FileFormatError(ChainruleError, ValueError):
    """A file of weights that is damaged, cut short or not ours."""
