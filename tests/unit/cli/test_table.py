from tracekeeper.cli.table import table
from tracekeeper.cli.terminal import Palette

PLAIN = Palette(colour=False)


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    rows = [("日本 🚀", "1.2 s", "x"), ("b", "10.0 s", "")]
    assert table(("job", "took", ""), rows, PLAIN, right=(1,)).splitlines() == [
        "job        took",
        "日本 🚀   1.2 s  x",
        "b        10.0 s",
    ]


def test_cells_have_the_styles_of_their_text_and_not_of_their_padding() -> None:
    styled = table(
        ("a", "b"), [("x", "y")], Palette(colour=True), lambda column, cell: ("red",) * column
    )
    assert styled.splitlines()[1] == "x  \x1b[31my\x1b[0m"


def test_there_may_be_no_rows() -> None:
    assert table(("a", "b"), [], PLAIN) == "a  b"
