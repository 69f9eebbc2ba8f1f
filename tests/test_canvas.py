"""Charts of text: places, names and frames."""

from __future__ import annotations

from cardwise.reports.canvas import Canvas, Scale


def test_a_small_picture_as_a_whole() -> None:
    canvas = Canvas(Scale(1.0, 1000.0, 31, True), Scale(0.0, 4.0, 4))
    canvas.mark(1.0, 0.0, "a")
    canvas.mark(31.6, 2.0, "b")
    canvas.bar(2.0, 10.0, 100.0)
    canvas.mark(1000.0, 4.0, "c")
    canvas.name(31.6, 2.0, "name")
    assert canvas.text([1, 10, 100, 1000], [0, 2, 4], "across", "up") == "\n".join(
        [
            "up",
            "4.00 │                              c",
            "2.00 │          ─────b─name",
            "     │",
            "   0 │a",
            "     └┴─────────┴─────────┴─────────┴",
            "    1.00      10.0       100    1,000",
            "      across",
        ]
    )


def test_a_name_never_covers_a_mark_and_is_left_out_where_there_is_no_room() -> None:
    canvas = Canvas(Scale(0.0, 10.0, 12), Scale(0.0, 1.0, 1))
    for x in range(11):
        canvas.mark(float(x), 0.0, "x")
    before = canvas.text([], [], "", "")
    canvas.name(5.0, 0.0, "long name")
    assert canvas.text([], [], "", "") == before


def test_values_outside_lie_on_the_edge() -> None:
    for scale in (Scale(1.0, 10.0, 5), Scale(1.0, 10.0, 5, True)):
        assert (scale.at(0.1), scale.at(1.0), scale.at(10.0), scale.at(99.0)) == (0, 0, 4, 4)
