"""Times the cold start of commands."""

import statistics
import subprocess
import sys
import time
from typing import Any

COMMANDS = {
    "--help": ["--help"],
    "list losses": ["list", "losses"],
    "run --dry-run": ["run", "configs/quickstart.yaml", "--dry-run"],
}


def measure(rounds: int) -> list[dict[str, Any]]:
    """Returns one row per command."""
    rows = []
    for name, arguments in COMMANDS.items():
        seconds = []
        for _ in range(rounds):
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "landscape.cli", *arguments], check=True, capture_output=True
            )
            seconds.append(time.perf_counter() - start)
        rows.append({"command": f"landscape {name}", "seconds": statistics.median(seconds)})
    return rows
