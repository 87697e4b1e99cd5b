"""Times the whole test suite once, on two workers."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def measure(rounds: int) -> list[dict[str, Any]]:
    """Returns one row; the suite runs once, whatever the number of rounds.

    Raises RuntimeError if a test fails.
    """
    start = time.perf_counter()
    process = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=ROOT, capture_output=True, text=True
    )
    if process.returncode:
        raise RuntimeError(process.stdout[-2000:])
    return [
        {"seconds": time.perf_counter() - start, "summary": process.stdout.splitlines()[-1].strip()}
    ]
