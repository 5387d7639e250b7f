"""The judge of what a derivation displays: every equation is evaluated, read back as text, and compared with differences."""

import functools
import math
import re

import numpy as np

import chainrule as cr
from chainrule.diagnosis.formulas import parse_formula
from chainrule.errors import FormulaError
from chainrule.matrix_form import (
    Call,
    MatrixForm,
    Power,
    Symbol,
    Verbatim,
    children,
    evaluate,
    evaluate_text,
    symbols_in,
)
from chainrule.primitives.windows import add_windows
from chainrule.pytree import flatten
from chainrule.show.document import Equations, Section
from chainrule.show.lines import substituted

LEVELS = ("summary", "steps", "numbers", "collapsed")
ELSEWHERE = {  # what derived lines call, and NumPy does not have
    "erf": np.vectorize(math.erf, otypes=[float]),
    "erfc": np.vectorize(math.erfc, otypes=[float]),
    "add_windows": add_windows,
}


# -- the judge ---------------------------------------------------------------------------------------------------------------
def meaning(form, values, sizes):
    """The value of a formula; calls of `cr.nn` and what is verbatim NumPy are simply run."""
    found = {}
    known = dict(values)
    for number, node in enumerate(special_nodes(form)):
        inner = [meaning(part, values, sizes) for part in children(node)]
        known[f"special{number}"] = run_special(node, inner, {**values, **sizes})
        found[node] = Symbol(f"special{number}")
    return np.asarray(evaluate(substituted(form, found), known, sizes))


def special_nodes(form):
    if isinstance(form, (Power, Verbatim)) or (isinstance(form, Call) and named_function(form) is not None):
        return [form]
    return [node for part in children(form) for node in special_nodes(part)]


def named_function(form):
    return ELSEWHERE.get(form.function) or (getattr(cr.nn, form.function, None) if form.function != "one_hot" else None)


def run_special(node, inner, names):
    match node:
        case Power():
            return inner[0] ** inner[1]
        case Call(settings=settings):
            return named_function(node)(*inner, **{key: evaluate_text(text, names) for key, text in settings})
        case Verbatim(template=template):
            places = {f"operand_{i}": np.asarray(value) for i, value in enumerate(inner)}
            return run_text(template.format(*places), {**ELSEWHERE, **names, **places})


def run_text(text, names):
    """The value of NumPy text."""
    scope = {"np": np, **names}
    exec(f"result = {text}", scope)
    return scope["result"]


def rows_of(blocks):
    """The equations of a document that are about whole arrays."""
    for block in blocks:
        if isinstance(block, Section):
            yield from rows_of(block.blocks)
        elif isinstance(block, Equations):
            yield from (row for row in block.rows if isinstance(row.left, Symbol))


def difference(found, expected, rtol=1e-9):
    """How two values differ, in words; empty if they do not."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    if found.shape != expected.shape:
        return f"shape {found.shape}, not {expected.shape}"
    if not np.array_equal(np.isfinite(found), np.isfinite(expected)):
        return "not finite elsewhere"
    there = np.isfinite(expected)
    scale = max(1.0, float(np.abs(expected[there]).max(initial=0)))
    error = float(np.abs(found - expected)[there].max(initial=0)) / scale
    return f"{error:.1e} away" if error > rtol else ""


def faults(d, function, args, *, levels=("summary",), rtol=1e-9, differences=True, text=True):
    """Everything that is not true in what a derivation displays."""
    found = [fault for level in levels for fault in false_rows(d, level, rtol)]
    found += unknown_names(d)
    value = function(**args) if isinstance(args, dict) else function(*args)
    found += [f"{d.loss} is {said}" for said in [difference(d.values[d.loss], value, rtol)] if said]
    if differences:
        found += beside_differences(d)
    if text:
        found += false_text(d, rtol)
    return found


def false_rows(d, level, rtol=1e-9, document=None):
    found = []
    for row in rows_of((document or d.document(level)).blocks):
        for right in row.right:
            if isinstance(right, MatrixForm):
                said = difference(meaning(right, d.values, d.sizes), d.values[row.left.name], rtol)
                found += [f"{level}: {row.left.name} = {right} is {said}"] if said else []
    return found


def unknown_names(d):
    found = []
    known = {name for name in d.facts if name not in d.by_name}
    for line in d.statements:
        forms = [form for form in (line.form, line.simpler) if form is not None]
        missing = {name for form in forms for name in symbols_in(form)} - known
        found += [f"{line.name} uses {', '.join(missing)}, which does not stand above it"] if missing else []
        found += [f"{line.name} has two meanings"] if line.name in known else []
        known.add(line.name)
    return found


def forward_values(d, values, sizes, given):
    """The forward lines, evaluated in order; those that are `given` are not computed."""
    values = dict(values)
    for line in d.forward_lines:
        values[line.name] = given[line.name] if line.name in given else meaning(line.form, values, sizes)
    return values


def beside_differences(d, rtol=2e-5):
    """Cotangents that are not what the loss does when a variable is moved and the lines below it follow."""
    found = []
    start = {name: d.values[name] for name in d.facts if name not in d.by_name}
    for line in d.backward_lines:
        name = d.facts[line.name].cotangent_of
        if not name:
            continue
        x = np.asarray(d.values[name], float)
        slope = np.array(d.values[line.name], float)
        for place in np.ndindex(x.shape):
            step = 1e-6 * max(1, abs(x[place]))
            up, middle, down = (loss_at(d, start, name, moved(x, place, sign * step)) for sign in (1, 0, -1))
            kink = abs(up + down - 2 * middle) > 1e-3 * max(step, abs(up - down))
            if not kink:
                slope[place] = (up - down) / (2 * step)
        said = difference(d.values[line.name], slope, rtol)
        found += [f"{line.name} is {said} from differences"] if said else []
    return found


def moved(x, place, step):
    x = x.copy()
    x[place] += step
    return x


def loss_at(d, start, name, value):
    values = start | {name: value} if name in start else start
    return float(forward_values(d, values, d.sizes, {name: value})[d.loss])


def false_text(d, rtol=1e-9):
    """Lines of the printed summary that, read back as formulas, are not true, and lines that are missing."""
    found = []
    names = {**d.values, **d.sizes}
    seen = set()
    left = ""
    for line in joined_lines(d.text("summary", width=10_000)):
        match = re.match(r"^  (\S*) *= (.*)$", line)
        if not match:
            continue
        left = match[1] or left
        seen.add(left)
        shape = d.by_name[left].shape if left in d.by_name else ""
        formula = match[2].split("   ")[0]
        formula = formula.removesuffix(f" {shape}").rstrip() if shape else formula
        if re.match(r"[a-z_]+entropy\(|[a-z_]+error\(", formula):
            continue  # a folded call: it is judged as a row
        said = difference(value_of_text(formula, names), d.values[left], rtol)
        found += [f"the text {left} = {formula} is {said}"] if said else []
    return found + [f"{name} is not in the text" for name in d.by_name if name not in seen]


def joined_lines(text):
    """Lines of text, with what was broken put together again."""
    lines = []
    for line in text.splitlines():
        if re.match(r"^  (\S+ +| +)= ", line) or not line.startswith("    "):
            lines.append(line)
        elif lines:
            lines[-1] = lines[-1].rstrip() + " " + line.strip()
    return lines


def value_of_text(formula, names):
    try:
        return parse_formula(formula).evaluate(names)
    except FormulaError as error:
        if not any(said in str(error) for said in ("not known here", "there is no function", "takes no dtype")):
            raise
    # `pad`, `erfc`, a dtype, and what else a formula of a user's may not use, but a line that was derived may
    code = formula.replace("⊙", "*").replace("ᵀ", ".T")
    called = re.findall(r"(?<![.\w])\w+(?=\()", code)
    functions = {name: getattr(owner, name) for owner in (np, cr.nn) for name in called if hasattr(owner, name)}
    return run_text(code, {**functions, **ELSEWHERE, **names})


def values_from(d, leaves, which="form"):
    """All lines from the arguments alone, in the order in which they stand."""
    names = [d.forward.variables[number].name for number in d.forward.inputs]
    values = dict(zip(names, map(np.asarray, leaves), strict=True))
    values |= {
        name: d.values[name] for name in d.facts if name not in d.by_name and name not in values
    }  # what is captured
    sizes = {}
    for name, value in values.items():
        parts = [part.strip() for part in d.facts[name].shape.strip("()").split(",") if part.strip()]
        sizes |= {part: size for part, size in zip(parts, np.shape(value), strict=True) if part.isidentifier()}
    for line in d.statements:
        values[line.name] = meaning(getattr(line, which), values, sizes)
    return values


def faults_elsewhere(d, function, args, rtol=1e-7):
    """The same at other arguments, perhaps of other sizes: lines as derived, and lines as simplified."""
    found = []
    named = args if isinstance(args, dict) else dict(enumerate(args))
    call = functools.partial(function, **args) if isinstance(args, dict) else functools.partial(function, *args)
    floats = tuple(
        key for key, value in named.items() if any(np.asarray(leaf).dtype.kind == "f" for leaf in flatten(value)[0])
    )
    gradients = (
        cr.grad(function, wrt=floats)(**args) if isinstance(args, dict) else cr.grad(function, wrt=floats)(*args)
    )
    slopes = iter(np.asarray(leaf) for leaf in flatten(gradients)[0])
    leaves = [leaf for value in named.values() for leaf in flatten(value)[0]]
    names = [d.forward.variables[number].name for number in d.forward.inputs]
    truth = {n: next(slopes) for n, leaf in zip(names, leaves, strict=True) if np.asarray(leaf).dtype.kind == "f"}
    for which in ("form", "best"):
        values = values_from(d, leaves, which)
        told = [(d.loss, difference(values[d.loss], call(), rtol))]
        told += [(line, difference(values[line], truth[name], rtol)) for name, line in d.gradients.items()]
        found += [f"{which} of {name} is {said}, elsewhere" for name, said in told if said]
    return found


def derived_and_true(function, *args, levels=LEVELS, **how):
    """The derivation of a function, after it has been judged and dressed in every costume."""
    d = cr.derive(function, *args, **how)
    assert faults(d, function, args, levels=levels) == []
    for level in levels:
        assert d.text(level)
        assert d.html(level)
        assert d.latex(level)
        assert d.markdown(level)
    return d


# -- the judge is judged -----------------------------------------------------------------------------------------------------
