"""On random programs: a formula that is derived is the rule's, whatever the program."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from index_support import proofs_of, recorded, text_of
from programs import programs


@settings(max_examples=120)
@given(st.data())
def test_every_formula_of_a_random_program_is_the_rule(data):
    function, arguments = data.draw(programs())
    with np.errstate(all="ignore"):
        found = proofs_of(recorded(function, *arguments))
    for pair, proof in found.items():
        if proof is not None and proof.checked is not None:
            assert proof.checked < 1e-8, (pair, proof.checked, text_of(proof.forward), text_of(proof.chain[-1]))
