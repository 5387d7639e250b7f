"""The quick look only rules out what trying would rule out, too."""

import pytest

import chainrule as cr
from chainrule.diagnosis.screening import Screen
from diagnosis.corpus.all_cases import CASES

SOME = [case for case in CASES if case.id.split("/")[1] not in ("correct", "unknown")][::14]


@pytest.mark.parametrize("case", SOME, ids=lambda case: case.id)
def test_the_same_is_found_without_it(case, monkeypatch):
    quick = cr.check_backward(case.loss, case.backward, *case.args, wrt=case.wrt, mend=False)
    monkeypatch.setattr(Screen, "passes", lambda *_: True)
    slow = cr.check_backward(case.loss, case.backward, *case.args, wrt=case.wrt, mend=False)
    if quick.unexplained and not slow.unexplained:
        pytest.fail(f"the quick look ruled out {slow.verdict}")
    assert quick.words == slow.words
