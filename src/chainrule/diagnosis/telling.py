"""From what the search found to what is told: rows, findings, one verdict.

The one idea: the same mistake in three layers is one mistake. Causes with one word are told together, and of all that
would give the same numbers only what differs in its word is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.diagnosis.bench import Bench
from chainrule.diagnosis.comparing import Target
from chainrule.diagnosis.conventions import WORD
from chainrule.diagnosis.report import UNKNOWN, BackwardReport, Finding, GradientRow
from chainrule.diagnosis.search import Cause
from chainrule.primitives.arithmetic import ABS, MAXIMUM, MINIMUM

FEW = 2  # rivals that are told


def tell(
    names: tuple[str, str],
    bench: Bench,
    causes: Sequence[Cause],
    left: Sequence[Target],
    mends: Sequence[Any],
    notes: Sequence[str],
    dtype: str,
) -> BackwardReport:
    """Put what was found into a report; `mends` has one entry for each group of causes."""
    rows = tuple(_row(bench, target) for target in bench.targets)
    unstable = [t for t in bench.targets if not np.isfinite(t.value).all() and _is_finite(bench, t)]
    findings: list[Finding] = []
    if unstable:
        findings.append(_unstable(bench, unstable))
    for place, group in enumerate(groups_of(causes)):
        finding = _finding(bench, group[0].mutation.word, group)
        findings.append(replace(finding, mend=mends[place]) if place < len(mends) else finding)
    notes = list(notes)
    if any(note.startswith("forward_mismatch") for note in notes) and not findings:
        findings.append(
            Finding(
                "forward_mismatch", ("keepdims_broadcast",), "the forward pass", ("the forward pass",), notes[0], "", ()
            )
        )
    words = dict.fromkeys(finding.word for finding in findings)
    if left and not findings:
        words = {UNKNOWN: None}
    if not left and list(words) == [WORD]:
        notes += [finding.says for finding in findings]
        findings = []
    verdict = "+".join(words) or _verdict(bench, dtype)
    return BackwardReport(
        names[0],
        names[1],
        rows,
        tuple(findings),
        tuple(target.name for target in left),
        verdict,
        len(bench.proposals) if left else 0,
        left[0].name if left else "",
        tuple(notes),
    )


def _row(bench: Bench, target: Target) -> GradientRow:
    truth = bench.scene.exact.cotangents[target.number]
    shape = tuple(np.shape(truth))
    right = target.explained_by(truth) and bool(np.isfinite(target.value).all() or not np.isfinite(truth).all())
    if target.value.shape != shape:
        remark = f"has shape {target.value.shape}"
        return GradientRow(target.name, shape, False, np.inf, np.inf, (), np.nan, np.nan, remark, target.gradient)
    remark = ""
    with np.errstate(all="ignore"):
        error = np.abs(target.value - truth)
        lost = int(np.count_nonzero(~np.isfinite(target.value)))
        if lost and np.isfinite(truth).all():
            remark = f"{lost} of {target.value.size} not finite"
        error = np.where(np.isfinite(error), error, 0.0)
        index = tuple(int(i) for i in np.unravel_index(int(np.argmax(error)), shape)) if error.size else ()
        scale = float(np.max(np.abs(truth), initial=0.0, where=np.isfinite(truth)))
        worst = float(error[index]) if error.size else 0.0
    got, expected = (float(target.value[index]), float(truth[index])) if error.size else (0.0, 0.0)
    relative = worst / scale if scale else (np.inf if worst else 0.0)
    return GradientRow(target.name, shape, right, relative, worst, index, got, expected, remark, target.gradient)


def _is_finite(bench: Bench, target: Target) -> bool:
    return bool(np.isfinite(bench.scene.exact.cotangents[target.number]).all())


def _unstable(bench: Bench, targets: Sequence[Target]) -> Finding:
    first = targets[0]
    return Finding(
        "numerically_unstable",
        (),
        first.name,
        tuple(target.name for target in targets[:1]),
        "it is not finite where the gradient is: on paper the formula is right, on this data it overflows or divides by 0. "
        "Simplify the quotient: softmax or sigmoid with its cross-entropy is P - Y, which is always finite",
        bench.scene.where(first.number),
        tuple(target.name for target in targets),
    )


def groups_of(causes: Sequence[Cause]) -> list[list[Cause]]:
    """The causes with one word together, from the loss on."""
    groups: dict[str, list[Cause]] = {}
    for cause in causes:
        groups.setdefault(cause.mutation.word, []).append(cause)
    return list(groups.values())


def tell_of_state(names: tuple[str, str], bench: Bench, finding: Finding | None, note: str) -> BackwardReport:
    """The report of a backward pass that does not answer the same question in the same way."""
    rows = tuple(_row(bench, target) for target in bench.targets)
    findings = () if finding is None else (finding,)
    left = () if finding is not None else tuple(target.name for target in bench.targets)
    return BackwardReport(
        names[0], names[1], rows, findings, left, UNKNOWN if finding is None else finding.word, notes=(note,)
    )


def _finding(bench: Bench, word: str, group: Sequence[Cause]) -> Finding:
    scene, first = bench.scene, group[0].mutation
    number = scene.sheet.variable_of(first.site)
    places = dict.fromkeys(scene.bar_name(scene.shown(scene.sheet.variable_of(cause.mutation.site))) for cause in group)
    rivals = {
        rival.word: rival.says
        for rival in group[0].rivals
        if rival.word not in (word, *first.also) and rival.rank <= first.rank + 3
    }
    return Finding(
        word,
        tuple(
            dict.fromkeys(
                (*first.also, *(r.word for r in group[0].rivals if r.rank <= first.rank + 1 and r.word != word))
            )
        ),
        next(iter(places)),
        tuple(places),
        "; ".join(dict.fromkeys(cause.mutation.says for cause in group)),
        scene.where(number) or _where_used(bench, number),
        tuple(dict.fromkeys(target.name for cause in group for target in cause.explained)),
        tuple(f"{other}: {says}" for other, says in list(rivals.items())[:FEW]),
    )


def _where_used(bench: Bench, number: int) -> str:
    """The line that uses an argument: it has none of its own."""
    uses = bench.sheet.uses.get(number, ())
    origin = bench.sheet.graph.equations[uses[0][0]].origin if uses else None
    return str(origin) if origin is not None else ""


def _verdict(bench: Bench, dtype: str) -> str:
    """Of a backward pass in which nothing is wrong."""
    if _on_a_kink(bench):
        return "kink_hit_only"
    if dtype in ("float32", "float16") and not all(_is_exact(bench, target) for target in bench.targets):
        return "float32_noise_only"
    return "correct"


def _is_exact(bench: Bench, target: Target) -> bool:
    truth: Any = bench.scene.exact.cotangents[target.number]
    return bool(np.max(np.abs(target.value - truth), initial=0) <= 1e-9 * np.max(np.abs(truth), initial=0))


def _on_a_kink(bench: Bench) -> bool:
    """Whether a switching quantity that arguments move is exactly 0 here."""
    sheet = bench.sheet
    for i, equation in enumerate(sheet.graph.equations):
        if equation.output not in sheet.live or not sheet.depends(equation.output):
            continue
        operands = sheet.operands(i)
        if equation.primitive in (MAXIMUM, MINIMUM):
            if np.any(np.equal(*operands)) and np.any(bench.base.cotangents.get(equation.output, 0)):
                return True
        elif equation.primitive is ABS and np.any(np.equal(operands[0], 0)):
            return True
    return False
