"""The primitives, one family a file; importing this package fills the registry.

`FAMILIES` lists them in sight: a new family is a new file with a `FAMILY` tuple, and a line here.
"""

from chainrule.primitives import (
    arithmetic,
    comparison,
    control,
    exponential,
    indexing,
    linear_algebra,
    reduction,
    shaping,
    special,
)

FAMILIES = (
    arithmetic.FAMILY,
    exponential.FAMILY,
    special.FAMILY,
    comparison.FAMILY,
    reduction.FAMILY,
    linear_algebra.FAMILY,
    shaping.FAMILY,
    indexing.FAMILY,
    control.FAMILY,
)
