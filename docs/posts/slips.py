"""Tables of the pages: what each post printed beside what is derived, and its exercises with their answers.

The one idea: the data are those of `examples/posts/`; the formula in the column "derived" comes from `cr.derive`, the
last column from `cr.check_formula`. Only the words between them are written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pieces import Story, example, renamed, table

import chainrule as cr
from chainrule.errors import ArgumentError

ERRATA = example("posts/errata.py")["ERRATA"]
POSTS = example("posts/derivations.py")
SYSTEMS = {(s.post, s.title, s.layout): s for s in POSTS["SYSTEMS"]}

PUT_IN = {  # lines of the backward pass that the derived formula is read better with
    **dict.fromkeys(("5.3", "5.6", "5.12", "5.13", "5.16"), ("du4", "du5")),
    "5.1": ("du4",),
    "3.2": ("da3",),
    "4.13": ("du2",),
}


def story(post: str, title: str, layout: str, name: str, style: str = "default", **how: Any) -> Story:
    """The story of one of the posts' systems; `name` is what the page calls its loss."""
    system = SYSTEMS[post, title, layout]
    return Story(renamed(system.loss, name), system.arguments, style, **how)


def slips(
    post: int, reasons: Mapping[str, str], name: str, style: str = "default", **how: Any
) -> tuple[str, list[Story]]:
    """The slips of a post: printed, derived, why; and the stories behind the column "derived"."""
    chosen = [erratum for erratum in ERRATA if erratum.number.startswith(f"{post}.")]
    unknown = {erratum.number for erratum in chosen} ^ set(reasons)
    if unknown:
        raise KeyError(f"the page on post {post} and errata.py do not tell of the same slips: {sorted(unknown)}")
    rows, stories = [], []
    for erratum in chosen:
        names = erratum.loss.__code__.co_varnames
        told = Story(renamed(erratum.loss, name), dict(zip(names, erratum.args, strict=False)), style, **how)
        derived = told.put_in(erratum.quantity, *PUT_IN.get(erratum.number, ()))
        left = told.symbol(erratum.quantity)
        rows.append(
            (erratum.number, f"`{erratum.printed}`", f"${left} = {derived}$", reasons[erratum.number], word(erratum))
        )
        stories.append(told)
    return table(("no.", "printed", "derived", "what is wrong", "`check_formula`"), rows), stories


def word(erratum: Any) -> str:
    """What `cr.check_formula` calls a slip."""
    try:
        report = cr.check_formula(erratum.loss, {erratum.quantity: erratum.printed}, *erratum.args)
    except ArgumentError as error:
        return "no such name" if "there is no" in str(error) else "does not fit"
    if report:
        raise ValueError(f"{erratum.number}: {erratum.printed} is right")
    if report.findings:
        return f"`{report.findings[0].word}`"
    return "wrong shape" if report.gradients[0].remark else "wrong numbers"


def answers(post: str, told: Mapping[str, Story]) -> str:
    """The exercises of a post: the answer as NumPy, judged, beside the derived line of a story, by the task."""
    rows = []
    for exercise in POSTS["EXERCISES"]:
        if exercise.post != post or exercise.task not in told:
            continue
        if not POSTS["judge"](exercise.function, exercise.arguments, {exercise.quantity: exercise.answer}):
            raise ValueError(f"the answer {exercise.answer} to {exercise.quantity} is not right")
        teller = told[exercise.task]
        derived = teller.math(teller.remembered(exercise.quantity).best)
        rows.append((f"${teller.symbol(exercise.quantity)}$", f"${derived}$", f"`{exercise.answer}`"))
    return table(("gradient", "derived", "as NumPy, judged right"), rows)


def judged(function: Callable, arguments: Mapping[str, Any], formulas: Mapping[str, str]) -> str:
    """Formulas as a listing, after `cr.check_formula` has found all of them right."""
    report = cr.check_formula(function, dict(formulas), *arguments.values())
    if not report:
        raise ValueError(str(report))
    return "```python\n" + "\n".join(f"{name} = {formula}" for name, formula in formulas.items()) + "\n```"
