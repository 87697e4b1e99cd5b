"""Runs the benchmarks, and writes benchmarks/results/*.json and the tables of docs/speed.md.

`make bench` runs all of them; `python benchmarks/run.py planes training --rounds 3` runs two in
fewer rounds.
"""

import argparse
import importlib
import json
from pathlib import Path
from typing import Any

import race
import table

PARTS = (
    "planes",
    "training",
    "menu",
    "quickstart",
    "increments",
    "sweeps",
    "report",
    "jobs",
    "growth",
    "start",
    "audit",
    "memory",
    "suite",
)
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement; default: 5")
    arguments = parser.parse_args()
    for name in arguments.parts or PARTS:
        if name not in PARTS:
            parser.error(f"unknown part {name}; expected one of {', '.join(PARTS)}")
        rows = importlib.import_module(name).measure(arguments.rounds)
        rounds = arguments.rounds
        results: dict[str, Any] = {"machine": race.machine(), "rounds": rounds, "rows": rows}
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{name}.json"
        path.write_text(json.dumps(results, indent=2, default=float) + "\n")
        print(table.markdown(name, results), end="\n\n", flush=True)
    table.write(RESULTS)


if __name__ == "__main__":
    main()
