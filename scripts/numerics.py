"""Print the tables of docs/numerics.md: the largest errors against float64 of each method and of lax."""

import argparse
import sys
from pathlib import Path

from _timing import headline, machine, table_head, table_row

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "core"))
import rounding


def largest(
    layers: dict[str, rounding.Layer], dtype: str, data: str
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """For lax and each method: the largest error of each part over all layers, and the largest ratio to lax in one."""
    each = [rounding.errors(layer, dtype, rounding.DATA[data]) for layer in layers.values()]
    names = dict.fromkeys(name for found in each for name in found)
    over_all = {name: [max(part) for part in zip(*(found[name] for found in each), strict=True)] for name in names}
    ratios = {
        name: max(
            rounding.beyond_lax(*pair, dtype) for found in each for pair in zip(found[name], found["lax"], strict=True)
        )
        for name in names
    }  # fmt: skip
    return over_all, ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="layers and pools whose name has this in it")
    parser.add_argument("--dtype", choices=rounding.DTYPES, action="append", help="all of them by default")
    only, dtypes = (args := parser.parse_args()).only, args.dtype or rounding.DTYPES
    print(headline(machine()))
    beyond = []
    for title, table in {"Layers": rounding.LAYERS, "Pools": rounding.POOLS}.items():
        layers = {name: layer for name, layer in table.items() if only in name}
        if not layers:
            continue
        parts = next(iter(layers.values())).parts
        for dtype in dtypes:
            for data in rounding.DATA:
                print(f"\n{title}, {dtype}, {data} data\n\n{table_head('', *parts, 'against lax in one layer')}")
                over_all, ratios_of_one = largest(layers, dtype, data)
                for name, errors in over_all.items():
                    print(
                        table_row(name, *(f"{each:.1e}" for each in errors), f"{ratios_of_one[name]:.2f}"), flush=True
                    )
                    ratios = map(rounding.beyond_lax, errors, over_all["lax"], [dtype] * len(errors))
                    beyond += [(title, dtype, data, name, part) for part, r in zip(parts, ratios, strict=True) if r > 2]
    print("\nMore than twice lax's largest error:")
    print("\n".join("- " + ", ".join(each) for each in beyond) or "- none")


if __name__ == "__main__":
    main()
