"""The parts of the index calculus: letters, deltas, contraction, folding, gathering, values."""

from fractions import Fraction

import numpy as np
import pytest

from chainrule.derivation.contracting import simplify, total
from chainrule.derivation.folding import folded, with_sigmoids, without_shift
from chainrule.derivation.gathering import gathered
from chainrule.derivation.index_algebra import free_letters, key_of, same_form, substitute
from chainrule.derivation.index_calculus import FLAT, PARTIALS, differentiate
from chainrule.derivation.index_values import FUNCTIONS, evaluate_entries
from chainrule.derivation.laying import Laid, UnrecognisedError, turned
from chainrule.derivation.matrix_values import evaluate_matrix
from chainrule.derivation.placing import delta, inside, mixed_radix, reach
from chainrule.derivation.recognising import recognised
from chainrule.derivation.tidying import factored, nested, shorter, signed, tidied
from chainrule.derivation.writing_out import first_entry, from_one, with_plain_letters
from chainrule.index_form import (
    ONE,
    ZERO,
    Delta,
    Entry,
    Holds,
    Index,
    Inside,
    Largest,
    Of,
    Place,
    Plus,
    Raised,
    Times,
    Total,
    Value,
    combined,
    moved,
    negative,
    number,
    over,
)
from chainrule.matrix_form import Product, Reduced, Symbol, Transposed, Verbatim
from index_support import text_of

i, j, k, l = (Index(letter, size) for letter, size in zip("ijkl", (3, 4, 4, 4), strict=True))
p, q = Index("p", 3), Index("q", 4)
rng = np.random.default_rng(1)


def x(*at):
    return Entry("x", at)


# -- letters -----------------------------------------------------------------------------------------------------------


def test_a_sum_is_the_same_whatever_its_letter():
    assert same_form(Total((k,), x(i, k)), Total((l,), x(i, l)))
    assert not same_form(Total((k,), x(i, k)), Total((k,), x(k, i)))
    assert key_of(Plus((x(i), x(j)))) == key_of(Plus((x(j), x(i))))
    assert key_of(Times((x(i), x(i)))) != key_of(x(i))


def test_what_is_put_for_a_letter_is_not_caught_by_a_sum():
    form = substitute(Total((k,), Times((x(i, k), x(j, k)))), {"j": k})
    assert free_letters(form) == {"i", "k"}
    values = evaluate_entries(form, (i, k), {}, {"x": (a := rng.standard_normal((4, 4)))})
    np.testing.assert_allclose(values, (a @ a.T)[:3])


def test_letters_that_copies_got_become_plain():
    form = Total((Index("k1", 4),), Times((x(i, Index("k1", 4)), Total((Index("k2", 4),), x(i, Index("k2", 4))))))
    assert text_of(with_plain_letters(form, "ijkl", frozenset("j"))) == "sum_k{x[i,k] sum_l{x[i,l]}}"


# -- positions and deltas ----------------------------------------------------------------------------------------------


def test_positions_are_as_plain_as_they_can_be():
    assert moved(i) == i
    assert moved(2, 3, 1) == 7
    assert combined(((2, i), (1, j), (-2, i))) == j
    assert combined(((1, i), (-1, i)), 4) == 4
    with pytest.raises(ValueError, match="whole numbers"):
        moved(Entry("y", (i,)), 1, 1)


def test_a_delta_of_windows_falls_apart():
    two = Index("u", 2), Index("v", 2)
    left, right = Place(((2, p), (1, two[0]))), Place(((2, i), (1, two[1])))
    assert text_of(delta(left, right)) == "d(p,i) d(u,v)"
    assert mixed_radix(left) is not None
    assert mixed_radix(Place(((2, p), (1, Index("u", 3))))) is None  # windows that overlap


def test_deltas_and_indicators_are_decided_where_they_can_be():
    assert delta(1, 1) == ONE
    assert delta(1, 2) == ZERO
    assert delta(moved(i, 1, 5), 2) == ZERO  # out of reach
    assert delta(combined(((1, i), (1, j))), combined(((1, p), (1, j)))) == Delta(i, p)
    assert inside(i, 3) == ONE
    assert inside(moved(i, 1, 5), 5) == ZERO
    assert isinstance(inside(moved(i, 1, -1), 3), Inside)
    assert reach(combined(((2, i), (-1, j)), 1)) == (-2, 5)


@pytest.mark.parametrize("shift", [-2, 0, 3])
def test_a_sum_over_a_moved_delta_is_zero_outside(shift):
    form = Total((k,), Times((x(k), Delta(moved(k, 1, shift), q))))
    a = rng.standard_normal(4)
    expected = [a[place - shift] if 0 <= place - shift < 4 else 0 for place in range(4)]
    for shown in (form, simplify(form)):
        np.testing.assert_allclose(evaluate_entries(shown, (q,), {}, {"x": a}), expected)
    assert "sum" not in text_of(simplify(form))


# -- contraction -------------------------------------------------------------------------------------------------------


def test_constants_stand_before_the_sum_and_an_unused_index_counts():
    assert text_of(simplify(Total((i, k), Times((Value(2), x(j), Entry("w", (k,))))))) == "2 #3 x[j] sum_k{w[k]}"


def test_a_centred_row_sums_to_zero():
    mean = Times((Raised(number(4), number(-1)), Total((l,), x(l))))
    assert simplify(Total((k,), Plus((x(k), negative(over(Total((l,), x(l)), number(4))))))) != ONE
    size = simplify(over(Total((l,), x(l)), Value(Fraction(4))))
    assert simplify(mean) == size


def test_a_power_of_a_sum_stays_whole():
    form = Total((k,), Raised(Plus((x(k), number(1))), number(2)))
    assert simplify(form) == form


def test_products_are_multiplied_out_only_where_a_delta_asks_for_it():
    body = Times((Entry("s", (k,)), Plus((Delta(k, q), negative(Entry("s", (q,)))))))
    assert text_of(total((k,), simplify(body))) == "(s[q] + -1 s[q] sum_k{s[k]})"
    assert text_of(total((k,), simplify(body), spread=False)) == "sum_k{s[k] (d(k,q) + -1 s[q])}"


def test_terms_are_collected_and_indicators_negated():
    assert simplify(Plus((x(i), x(i), negative(x(j)), x(j)))) == Times((number(2), x(i)))
    positive = Holds(">", x(i), ZERO)
    assert simplify(Plus((ONE, negative(positive)))) == Holds("<=", x(i), ZERO)
    assert simplify(Times((positive, positive))) == positive


def test_common_factors_are_written_once():
    form = Plus((Times((Entry("s"), x(i))), negative(Times((Entry("s"), x(j))))))
    assert text_of(factored(form)) == "s (x[i] + -1 x[j])"


def test_terms_cancel_where_that_is_shorter():
    a, y = Entry("a"), Entry("y")
    both = Plus((Times((Plus((ONE, negative(y))), a)), negative(Times((y, Plus((ONE, negative(a))))))))
    assert text_of(shorter(simplify(both))) == "(a + -1 y)"
    kept = Times((a, Plus((ONE, negative(a)))))
    assert shorter(kept) == kept
    power = Raised(Plus((a, y)), number(2))
    assert tidied(power) == power


def test_a_sum_goes_as_far_in_as_it_can():
    f, w = Entry("f", (i, k)), Entry("w", (q, k))
    form = Total((i, k), Times((x(i, p), f, w)))
    assert text_of(nested(form)) == "sum_i{x[i,p] sum_k{f[i,k] w[q,k]}}"
    assert nested(Total((i, k), Times((x(i, k), f)))) == Total((i, k), Times((x(i, k), f)))
    shapes = {"x": (3, 3), "f": (3, 4), "w": (4, 4)}
    assert recognised(nested(form), (p, q), shapes) is not None


def test_a_minus_sign_goes_into_a_difference():
    a, y = Entry("a"), Entry("y")
    assert text_of(signed(simplify(negative(Plus((y, negative(a))))))) == "(a + -1 y)"
    assert text_of(signed(simplify(negative(a)))) == "-1 a"
    inner = Plus((over(y, a), negative(over(Plus((ONE, negative(y))), Plus((ONE, negative(a)))))))
    assert text_of(signed(simplify(negative(inner)))) == "((1 + -1 y) (1 + -1 a)^-1 + -1 y a^-1)"


# -- folding and gathering ---------------------------------------------------------------------------------------------


def test_a_named_value_stands_for_its_formula_at_any_position():
    left, right = Entry("s", (i, j)), over(Of("exp", (x(i, j),)), Total((k,), Of("exp", (x(i, k),))))
    below = Total((l,), Of("exp", (x(p, l),)))
    square = Times((Of("exp", (x(p, q),)), Of("exp", (x(p, j),)), Raised(below, number(-2))))
    assert text_of(folded(simplify(square), left, simplify(right))) in ("s[p,q] s[p,j]", "s[p,j] s[p,q]")
    other = over(Of("exp", (x(p, q),)), Total((i,), Of("exp", (x(i, q),))))  # a sum over the other axis
    assert "s[" not in text_of(folded(simplify(other), left, simplify(right)))


def test_a_letter_that_a_sum_binds_stands_for_nothing_outside_it():
    left = Entry("s", (i, j))
    right = Total((k,), Of("exp", (Plus((x(i, k), Entry("w", (j,)))),)))
    same = Total((l,), Of("exp", (Plus((x(p, l), Entry("w", (q,)))),)))
    other = Total((l,), Of("exp", (Plus((x(p, l), Entry("w", (l,)))),)))
    assert text_of(folded(same, left, right)) == "s[p,q]"
    assert folded(other, left, right) == other


def test_only_a_shift_that_all_share_is_left_out():
    def softmax(shift_above, shift_below):
        above = Of("exp", (Plus((x(i, j), negative(shift_above))),))
        return over(above, Total((k,), Of("exp", (Plus((x(i, k), negative(shift_below))),))))

    row = Largest((l,), x(i, l))
    assert "max" not in text_of(without_shift(softmax(row, row)))
    assert "max" in text_of(without_shift(softmax(row, Largest((l,), x(k, l)))))
    assert "held" in text_of(without_shift(softmax(Of("held", (row,)), Of("held", (row,)))))
    own = Of("exp", (Plus((x(i, k), negative(Largest((l,), x(k, l))))),))  # k is another one under the sum
    assert "max" in text_of(without_shift(over(own, Total((k,), own))))


def test_sigmoids_are_called_by_their_name():
    def spelled(form):
        return text_of(with_sigmoids(simplify(form)))

    e = Of("exp", (negative(x(i)),))
    assert spelled(over(ONE, Plus((ONE, e)))) == "sigmoid(x[i])"
    assert spelled(over(Of("exp", (x(i),)), Plus((ONE, Of("exp", (x(i),)))))) == "sigmoid(x[i])"
    assert spelled(over(ONE, Plus((number(2), e)))) != "sigmoid(x[i])"


def test_terms_that_run_through_an_axis_become_one_sum():
    def letters(size):
        return Index("m", size)

    terms = Plus(tuple(Times((Entry("w", (n,)), x(i, moved(j, 1, n)))) for n in range(3)))
    assert text_of(gathered(terms, {"w": (3,)}, letters)) == "sum_m{w[m] x[i,j+m]}"
    assert gathered(terms, {"w": (4,)}, letters) == terms  # one is missing
    uneven = Plus(tuple(Times((Entry("w", (n,)), x(i, moved(j, 1, n * n)))) for n in range(3)))
    assert gathered(uneven, {"w": (3,)}, letters) == uneven


# -- derivatives -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - FLAT))
def test_the_partials_of_functions_agree_with_differences(name):
    arguments = [Entry(letter) for letter in "abc"[: len(PARTIALS[name])]]
    at = {"a": 0.4, "b": 0.1, "c": 0.9}
    for argument in arguments:
        form = simplify(differentiate(Of(name, tuple(arguments)), argument))

        def value(step, argument=argument):
            return FUNCTIONS[name](*[at[a.array] + step * (a == argument) for a in arguments])

        difference = (value(1e-6) - value(-1e-6)) / 2e-6
        found = evaluate_entries(form, (), {}, {letter: np.array(number_) for letter, number_ in at.items()})
        np.testing.assert_allclose(found, difference, rtol=1e-7, atol=1e-9)


def test_every_function_has_partials_or_is_flat():
    assert set(FUNCTIONS) == PARTIALS.keys() | FLAT


def test_a_power_is_differentiated_by_base_and_exponent():
    form = Raised(Entry("a"), Entry("b"))
    at = {"a": np.array(1.7), "b": np.array(0.6)}
    by_base = evaluate_entries(simplify(differentiate(form, Entry("a"))), (), {}, at)
    by_exponent = evaluate_entries(simplify(differentiate(form, Entry("b"))), (), {}, at)
    np.testing.assert_allclose([by_base, by_exponent], [0.6 * 1.7**-0.4, 1.7**0.6 * np.log(1.7)])


# -- values and arrays -------------------------------------------------------------------------------------------------


def test_large_products_are_summed_without_being_written_out():
    sizes = (60, 50, 40)
    a, b, c = (Index(letter, size) for letter, size in zip("abc", sizes, strict=True))
    form = Total((b,), Times((Entry("x", (a, b)), Entry("w", (b, c)))))
    arrays = {"x": rng.standard_normal((60, 50)), "w": rng.standard_normal((50, 40))}
    np.testing.assert_allclose(evaluate_entries(form, (a, c), {}, arrays), arrays["x"] @ arrays["w"])


def test_entries_are_evaluated_at_chosen_places():
    form = Total((k,), Times((Entry("x", (p, k)), Entry("w", (k, q)))))
    arrays = {"x": rng.standard_normal((3, 4)), "w": rng.standard_normal((4, 4))}
    at = {"p": np.array([0, 2]), "q": np.array([3, 1])}
    expected = (arrays["x"] @ arrays["w"])[[0, 2], [3, 1]]
    np.testing.assert_allclose(evaluate_entries(form, (), {}, arrays, at), expected)


SHAPES = {"X": (3, 4), "D": (3, 4), "v": (4,), "u": (3,)}


@pytest.mark.parametrize(
    ("form", "target", "expected"),
    [
        (Total((i,), Times((Entry("X", (i, k)), Entry("D", (i, q))))), (k, q), lambda X, D, v, u: X.T @ D),
        (Total((k,), Times((Entry("X", (p, k)), Entry("v", (k,))))), (p,), lambda X, D, v, u: X @ v),
        (Total((i,), Times((Entry("X", (i, q)), Entry("u", (i,))))), (q,), lambda X, D, v, u: X.T @ u),
        (Total((k,), Times((Entry("X", (p, k)), Entry("D", (p, k))))), (p,), lambda X, D, v, u: (X * D).sum(1)),
        (Times((Entry("u", (p,)), Entry("v", (q,)))), (p, q), lambda X, D, v, u: np.outer(u, v)),
        (Times((Entry("u", (p,)), Entry("X", (p, q)))), (p, q), lambda X, D, v, u: u[:, None] * X),
        (Entry("X", (p, q)), (q, p), lambda X, D, v, u: X.T),
        (Total((i, k), Times((Entry("X", (i, k)), Entry("D", (i, k))))), (), lambda X, D, v, u: (X * D).sum()),
        (Largest((k,), Entry("X", (p, k))), (p, None), lambda X, D, v, u: X.max(1, keepdims=True)),
        (Entry("X", (1, q)), (q,), lambda X, D, v, u: X[1]),
        (Entry("X", (p, moved(Index("r", 2), 1, 1))), (p, Index("r", 2)), lambda X, D, v, u: X[:, 1:3]),
        (over(Entry("X", (p, q)), Times((number(3), Entry("v", (q,))))), (p, q), lambda X, D, v, u: X / (3 * v)),
    ],
)
def test_matrix_forms_have_the_numbers_of_the_entries(form, target, expected):
    arrays = {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}
    found = recognised(simplify(form), target, SHAPES)
    assert found is not None
    np.testing.assert_allclose(evaluate_matrix(found, arrays, {}), expected(*arrays.values()))


def test_what_lies_otherwise_is_not_recognised():
    assert recognised(Entry("S", (q, q, p)), (q, p), {"S": (4, 4, 3)}) is None  # a diagonal of a stack
    assert recognised(Inside(moved(q, 1, -1), 4), (q,), {}) is None
    with pytest.raises(UnrecognisedError):
        turned(Laid(Symbol("v"), (q,)), (p,))
    assert turned(Laid(Symbol("u"), (p,)), (p, q)).form == Verbatim("{0}[:, None]", (Symbol("u"),))
    assert turned(Laid(Symbol("X"), (p, q)), (q, p)).form == Transposed(Symbol("X"))


def test_a_stack_is_multiplied_matrix_by_matrix():
    b = Index("b", 2)
    form = Total((k,), Times((Entry("S", (b, p, k)), Entry("T", (b, q, k)))))
    shapes = {"S": (2, 3, 4), "T": (2, 4, 4)}
    assert recognised(form, (b, p, q), shapes) == Product(Symbol("S"), Transposed(Symbol("T")))
    summed = Total((b, i), Entry("S", (b, i, q)))
    assert recognised(summed, (q,), shapes) == Reduced("sum", Symbol("S"), (0, 1), False, 3, ("2", "3"))


# -- written out -------------------------------------------------------------------------------------------------------


def test_one_entry_is_written_with_positions_from_one():
    form = Total((i,), Times((x(i, p), Entry("d", (i, q)))))
    left, right = first_entry(form, Entry("w", (p, q)))
    assert text_of(left) == "w[1,2]"
    assert text_of(right) == "(x[1,1] d[1,2] + x[2,1] d[2,2] + x[3,1] d[3,2])"


def test_a_long_sum_is_shortened_up_to_its_last_term():
    n = Index("i", "N")
    assert text_of(first_entry(Total((n,), x(n, q)), Entry("b", (q,)))[1]) == "(x[1,1] + x[2,1] + ... + x[N,1])"


def test_windows_keep_their_meaning_when_positions_count_from_one():
    form = x(combined(((2, i), (1, j))))  # 0-based 2i + j is 1-based 2(i-1) + (j-1) + 1
    assert text_of(from_one(form)) == "x[2i+j-2]"
