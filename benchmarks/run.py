"""`make bench`: every benchmark, into benchmarks/results/*.json, and the table of docs/speed.md.

`python benchmarks/run.py planes training` runs some of them; `--rounds 3` makes it shorter.
"""

import argparse
import importlib
import json
from pathlib import Path
from typing import Any

import race
import table

PARTS = ("planes", "training", "menu", "quickstart", "jobs", "growth", "start", "memory")
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    for name in asked.parts or PARTS:
        if name not in PARTS:
            parser.error(f"there is no part {name}; choose from {', '.join(PARTS)}")
        rows = importlib.import_module(name).measure(asked.rounds)
        found: dict[str, Any] = {"machine": race.machine(), "rounds": asked.rounds, "rows": rows}
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{name}.json"
        path.write_text(json.dumps(found, indent=2, default=float) + "\n")
        print(table.of(name, found), end="\n\n", flush=True)
    table.write(RESULTS)


if __name__ == "__main__":
    main()
