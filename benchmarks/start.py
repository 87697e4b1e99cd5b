"""Times the start of commands relative to the imports that every command line needs.

The goal is under twice the time of importing click, rich, pydantic and ruamel.yaml. The second
floor also defines a pydantic model of one field, which no command that checks a config can avoid.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

GOAL = 2.0
LIBRARIES = "import click, rich, pydantic, ruamel.yaml"
MODEL = f"{LIBRARIES}\nclass Model(pydantic.BaseModel):\n    steps: int"
MISTAKE = "dataset: digits\nmodel: mlp\nlosses: [brier]\nstepz: 600\n"
COMMAND = ["-m", "landscape.cli"]


def measure(rounds: int) -> list[dict[str, Any]]:
    """Returns one row per command, from rounds in which the commands take turns."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "mistake.yaml")
        config.write_text(MISTAKE)
        commands = {
            "importing the libraries": ["-c", LIBRARIES],
            "importing them, one pydantic model": ["-c", MODEL],
            "landscape --help": [*COMMAND, "--help"],
            "landscape list losses": [*COMMAND, "list", "losses"],
            "landscape run, a config error": [*COMMAND, "run", str(config)],
            "landscape run --dry-run": [*COMMAND, "run", "configs/quickstart.yaml", "--dry-run"],
        }
        environment = os.environ | {"PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for number in range(rounds + 1):
            for name, arguments in commands.items():
                pair = process_times(arguments, environment)
                if number > 0:  # the first round compiles the modules
                    times[name].append(pair)
    return [_row(name, times) for name in commands]


def process_times(arguments: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Returns the wall seconds and the processor seconds of a Python process."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, env=environment)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _row(name: str, times: dict[str, list[tuple[float, float]]]) -> dict[str, Any]:
    medians = {
        row: [statistics.median(column) for column in zip(*pairs, strict=True)]
        for row, pairs in times.items()
    }
    floor, (wall, processor) = medians["importing the libraries"], medians[name]
    return {
        "command": name,
        "seconds": wall,
        "processor seconds": processor,
        "times the imports, wall": wall / floor[0],
        "times the imports": processor / floor[1],
        "goal": GOAL if name.startswith("landscape") and "dry" not in name else None,
    }
