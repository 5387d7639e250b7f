import pytest

from chainrule.show.pictures.svg import BACKWARD, FORWARD, Sheet, number_text, shortened, width_of
from picture_support import Picture, all_text, check_picture

HOSTILE = [
    "<script>alert(1)</script>",
    "\"'&<>",
    "]]>",
    "a\x00\x1b\ud800b",
    "\u202egnol\u2066",
    "</title></svg>",
    "two\nlines",
    "x" * 500,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_ends_what_it_stands_in(name):
    sheet = Sheet(name or "title", name)
    sheet.open_group("node", name, node=name)
    sheet.text(10, 20, name, "name")
    sheet.symbol(10, 60, (name, name, name), "note")
    sheet.close_group()
    picture = Picture(sheet.svg())
    kept = picture.root.find("{http://www.w3.org/2000/svg}desc").text
    assert len(picture.texts) == 2
    assert all("<script" not in part for part in sheet.svg().split("&lt;"))
    assert kept == picture.texts[0][0]


def test_what_xml_keeps_is_kept():
    sheet = Sheet("t", "d")
    sheet.text(10, 20, "W <= 2 & \"x\" > 'y' ∂重", "name")
    assert Picture(sheet.svg()).texts[0][0] == "W <= 2 & \"x\" > 'y' ∂重"


def test_forward_and_backward_differ_in_more_than_colour():
    sheet = Sheet("t", "d")
    sheet.wire([(10, 10), (60, 40)], FORWARD)
    sheet.wire([(60, 60), (10, 90)], BACKWARD)
    svg = sheet.svg()
    assert ".wire.b{stroke-dasharray:" in svg
    assert ".hf{fill:#0072b2}" in svg
    assert ".hb{fill:#ffffff;stroke:#d55e00}" in svg  # an open head


def test_an_arrow_head_is_at_the_end_whichever_way_the_line_runs():
    sheet = Sheet("t", "d")
    sheet.wire([(10, 10), (60, 40)], FORWARD)
    sheet.wire([(60, 60), (10, 90)], BACKWARD)
    _, right, _, left = Picture(sheet.svg()).lines
    assert right[0] == (60, 40)
    assert left[0] == (10, 90)


def test_every_rule_of_the_style_sheet_is_for_our_pictures_only():
    style = Picture(Sheet("t", "d").svg()).root.find("{http://www.w3.org/2000/svg}style")
    rules = all_text(style).replace("@media (prefers-color-scheme:dark){", "").split("}")
    selectors = [selector for rule in rules if rule for selector in rule.split("{")[0].split(",")]
    assert len(selectors) > 30
    assert {selector.split()[0] for selector in selectors} == {".chainrule"}


def test_light_and_dark_colour_the_same_classes():
    style = all_text(Picture(Sheet("t", "d").svg()).root.find("{http://www.w3.org/2000/svg}style"))
    light, dark = style.split("@media (prefers-color-scheme:dark){")
    coloured = {rule.split("{")[0] for rule in light.split("}") if "#" in rule}
    assert coloured == {rule.split("{")[0] for rule in dark.split("}") if "#" in rule}


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize("text", ["t", "q", "tf", "tb"])
@pytest.mark.parametrize("ground", ["bg", "box", "in", "out", "op", "mark"])
def test_text_can_be_read_on_every_ground(mode, text, ground):
    style = all_text(Picture(Sheet("t", "d").svg()).root.find("{http://www.w3.org/2000/svg}style"))
    part = style.split("@media (prefers-color-scheme:dark){")[mode]
    fills = [part.split(f".chainrule .{name}{{fill:")[1][:7] for name in (text, ground)]
    light, dark = sorted(map(luminance, fills), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_the_sheet_grows_with_what_is_put_on_it():
    sheet = Sheet("t", "d")
    sheet.text(500, 300, "far away", "name")
    sheet.box(10, 10, 900, 20)
    sheet.text(40, 350, "below", "note", anchor="middle")
    check_picture(sheet.svg())


def test_a_wide_picture_keeps_its_size():
    narrow, wide = Sheet("t", "d"), Sheet("t", "d")
    narrow.box(0, 0, 600, 10)
    wide.box(0, 0, 3000, 10)
    assert "max-width" in narrow.svg()
    assert "max-width" not in wide.svg()


def test_short_names_are_kept_and_long_ones_end_in_dots():
    assert shortened("W1", 10) == "W1"
    assert shortened("重重重重", 6) == "重重…"
    assert width_of(shortened("W" * 100, 12), "name") == width_of("W" * 12, "name")


def test_a_number_that_is_not_known_is_a_jacobian():
    assert number_text(None) == "Jacobian"
    assert number_text(float("nan")) == "nan"
    assert number_text(1e-300) == "1e-300"
