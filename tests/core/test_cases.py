"""The table of cases has every rank and every kind of option, also in the parts that single laws take."""

import cases
import pytest

WINDOW = {"conv": lambda row: row.kernel[2:], "pool": lambda row: row.window, "windows": lambda row: row.size}
ROWS = {"conv": cases.CONVS, "pool": cases.POOLS, "windows": cases.WINDOWS}


@pytest.mark.parametrize("kind", ROWS)
def test_table_holds_every_kind_of_option(kind):
    rows = ROWS[kind]
    assert {row.padding for row in rows} >= {0, *cases.NAMED}
    assert {row.padding_mode for row in rows} >= {"constant", *cases.FROM_MAP}
    for option in ("stride", "dilation", "padding", "padding_mode"):
        assert any(isinstance(value := getattr(row, option), tuple) and len(set(value)) > 1 for row in rows)
    assert len(set(rows)) == len(rows)
    for step in (1, 3, 5, 7, 9, 11, 13):
        assert {len(WINDOW[kind](row)) for row in rows[::step]} == {1, 2, 3, 4}


def test_pools_and_convs_have_theirs():
    assert {row.mode for row in cases.POOLS} == {"max", "min", "sum", "mean"}
    assert {row.ceil_mode for row in cases.POOLS} == {row.count_include_pad for row in cases.POOLS} == {True, False}
    assert {row.groups for row in cases.CONVS} == {1, 2, 3}
