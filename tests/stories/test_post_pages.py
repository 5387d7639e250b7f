"""The pages on the five posts: they are what chainrule derives now, and every equation on them holds in numbers."""

import doctest
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule.matrix_form import evaluate
from chainrule.show.levels.entry_proofs import contributions

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "docs" / "posts"
GOLDEN = {"s1": "s1_batch3", "s2": "s2_batch", "s3": "s3_net_batch", "s4": "s4_three_layers", "s5": "s5_width4"}


@pytest.fixture(scope="module")
def generate():
    """The command, as a module."""
    specification = importlib.util.spec_from_file_location("generate_post_pages", FOLDER / "generate.py")
    module = importlib.util.module_from_spec(specification)
    before = list(sys.path)
    specification.loader.exec_module(module)
    yield module
    sys.path[:] = before


@pytest.fixture(scope="module")
def pages(generate):
    """The pages, made now."""
    return list(generate.pages())


def own(page, name):
    """The stories of a page that tell the golden case: those whose last weights have its gradient."""
    want = np.array(golden(name)["backward"]["dW"][-1])
    last = [(story, story.derivation.values[gradient]) for story in page.stories for gradient in weights_of(story)[-1:]]
    return [story for story, found in last if found.shape == want.shape and np.allclose(found, want, rtol=1e-9)]


def weights_of(story):
    """The names of the gradients by weights, from the first layer to the last."""
    return sorted(name for name in story.derivation.gradients.values() if name[1] in "wW" and name[2:].isdigit())


def golden(name):
    cases = json.loads((ROOT / "tests" / "golden_numbers" / f"{name[:2]}.json").read_text())["cases"]
    return next(case for case in cases if case["id"] == name)


def test_every_file_is_what_the_command_makes_now(generate, pages):
    made = generate.files(pages) | {"README.md": f"{generate.index(pages)}\n"}
    assert generate.drifted(FOLDER, made) == []
    left = {path.name for path in FOLDER.iterdir() if path.suffix in (".md", ".svg")} - set(made)
    assert not left, "pages and pictures that the command no longer makes"


def test_check_names_the_page_that_drifted_and_exits_1(generate, monkeypatch, tmp_path, capsys):
    made = {"s1.md": "one\n", "s2.md": "two\n", "s2_net.svg": "<svg/>\n"}
    monkeypatch.setattr(generate, "HERE", tmp_path)
    monkeypatch.setattr(generate, "everything", lambda: made)
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "s2.md").write_text("two, by hand\n")
    (tmp_path / "s2_net.svg").unlink()
    capsys.readouterr()
    assert generate.main(["--check"]) == 1
    printed = capsys.readouterr().out
    assert "s2.md is not what" in printed
    assert "s2_net.svg is not what" in printed
    assert "s1.md" not in printed
    assert (tmp_path / "s2.md").read_text() == "two, by hand\n"


def test_every_equation_that_is_shown_holds_in_numbers(pages):
    count = 0
    for page in pages:
        for story in page.stories:
            for label, (name, form) in story.shown.items():
                want = np.asarray(story.derivation.values[name], dtype=float)
                with np.errstate(all="ignore"):
                    found = np.asarray(evaluate(form, story.derivation.values, story.derivation.sizes), dtype=float)
                message = f"{page.name}.md, {label}"
                np.testing.assert_allclose(
                    np.broadcast_to(found, want.shape), want, rtol=1e-9, atol=1e-12, err_msg=message
                )
                count += 1
    assert count > 200


def test_every_proof_that_is_shown_was_compared_with_its_rule(pages):
    proofs = [
        (page.name, name, found)
        for page in pages
        for story in page.stories
        for name in story.proved
        for found in contributions(story.derivation, story.facts[name].cotangent_of)
    ]
    assert len(proofs) > 30
    for page, name, found in proofs:
        assert found.proof is not None, (page, name)
        assert found.proof.agrees, (page, name)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_gradients_of_a_page_are_golden(pages, name):
    page = next(page for page in pages if page.name == name)
    backward = golden(GOLDEN[name])["backward"]
    tellers = own(page, GOLDEN[name])
    assert tellers, "no story on this page tells the golden case"
    for story in tellers:
        gradients = weights_of(story)
        assert len(gradients) == len(backward["dW"])
        for gradient, dW, db in zip(gradients, backward["dW"], backward["db"], strict=True):
            bias = next(g for g in story.derivation.gradients.values() if g[1] in "bB" and g[2:] == gradient[2:])
            np.testing.assert_allclose(story.derivation.values[gradient], dW, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(np.ravel(story.derivation.values[bias]), np.ravel(db), rtol=1e-9, atol=1e-12)


def test_pages_have_a_length_that_is_read(generate, pages):
    for page in pages:
        assert 150 <= len(page.text.splitlines()) <= 400, page.name


def test_pictures_and_pages_that_are_linked_exist(generate, pages):
    made = generate.files(pages)
    for page in pages:
        for picture in page.pictures:
            assert f"]({picture})" in page.text, f"{page.name}.md does not show {picture}"
    for name in generate.PAGES:
        assert f"({name}.md)" in generate.index(pages)
        assert f"{name}.md" in made


@pytest.mark.parametrize(
    "text",
    [
        r"a word $\operatorname{relu}(Z)$",
        r"an emphasis that begins within $\mathbf{x}_{1}$ and ends within $\mathbf{y}_{2}$",
        r"a comma $a\,b$ that Markdown takes for its own",
        "one dollar $ alone",
        "$$\n\\operatorname{mean}(x)\n$$",
    ],
)
def test_what_github_would_not_render_is_refused(generate, text):
    with pytest.raises(ValueError, match=r"page\.md: "):
        generate.refuse_trouble("page", text)


def test_the_examples_of_the_pieces_run(generate):
    import pieces

    result = doctest.testmod(pieces)
    assert result.attempted >= 1
    assert result.failed == 0


def test_a_slip_without_a_reason_is_refused(generate):
    import slips

    with pytest.raises(KeyError, match="do not tell of the same slips"):
        slips.slips(1, {"1.1": "the only one"}, "L")
    with pytest.raises(ValueError, match="sign"):
        slips.judged(lambda x: np.sum(x**2), {"x": np.array([1.0, 2.0])}, {"dx": "-2 * x"})
