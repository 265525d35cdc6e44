"""The table of cases has every rank and every kind of option, also in the parts that single laws take."""

import cases
import pytest


@pytest.mark.parametrize(
    ("rows", "window"),
    [
        (cases.CONVS, lambda row: row.kernel[2:]),
        (cases.POOLS, lambda row: row.window),
        (cases.WINDOWS, lambda row: row.size),
    ],
    ids=["conv", "pool", "windows"],
)
def test_table_holds_every_kind_of_option(rows, window):
    assert {len(window(row)) for row in rows} == {1, 2, 3, 4}
    assert {row.padding for row in rows} >= {0, *cases.NAMED}
    assert {row.padding_mode for row in rows} >= {"constant", *cases.FROM_MAP}
    unequal = lambda value: isinstance(value, tuple) and len(set(value)) > 1
    for option in ("stride", "dilation", "padding", "padding_mode"):
        assert any(unequal(getattr(row, option)) for row in rows)
    assert any(row.fill is not None for row in rows)
    assert len(set(rows)) == len(rows)


def test_pools_and_convs_have_theirs():
    assert {row.mode for row in cases.POOLS} == {"max", "min", "sum", "mean"}
    assert {row.ceil_mode for row in cases.POOLS} == {row.count_include_pad for row in cases.POOLS} == {True, False}
    assert any(row.divisor for row in cases.POOLS)
    assert any(row.stride is None for row in cases.POOLS)
    assert {row.groups for row in cases.CONVS} == {1, 2, 3}
    assert {row.bias is None for row in cases.CONVS} == {True, False}


@pytest.mark.parametrize("rows", [cases.CONVS, cases.POOLS, cases.WINDOWS], ids=["conv", "pool", "windows"])
@pytest.mark.parametrize("step", [3, 5, 7, 9, 11, 13])
def test_a_part_of_the_rows_has_every_rank(rows, step):
    window = next(name for name in ("kernel", "window", "size") if hasattr(rows[0], name))
    assert len({len(getattr(row, window)) for row in rows[::step]}) == 4
