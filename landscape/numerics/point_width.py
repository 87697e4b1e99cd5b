"""The number of points that are evaluated side by side: measured once, then cached."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import jax
import platformdirs

# Candidate widths. On a CPU only 1: results must not depend on timing, and the gain is small, since
# a batch of convolutions with different weights becomes a grouped one.
CANDIDATES = {"cpu": (1,)}
OTHER_CANDIDATES = (1, 4, 16, 64)
# A larger width must take less than this share of the time, since it needs more memory.
WORTH = 0.9


def fastest(seconds_of: Callable[[int], float], candidates: Sequence[int]) -> int:
    """Returns the width with the fewest seconds per point; a larger one only if it is worth it."""
    best, least = candidates[0], seconds_of(candidates[0])
    for candidate in candidates[1:]:
        seconds = seconds_of(candidate)
        if seconds < WORTH * least:
            best, least = candidate, seconds
    return best


class PointWidth:
    """The number of points that a program evaluates side by side: as configured, else as measured.

    The measured width is stored in the user's cache folder; if that is not writable, every process
    measures again. `known` is None until slices are computed.
    """

    def __init__(self, setting: int | Literal["auto"], program: str) -> None:
        device = jax.devices()[0]
        candidates = CANDIDATES.get(device.platform, OTHER_CANDIDATES)
        self._candidates = candidates if setting == "auto" else (setting,)
        self._key = f"{device.device_kind}: {hashlib.sha256(program.encode()).hexdigest()[:16]}"
        self.known: int | None = self._candidates[0] if len(self._candidates) == 1 else None

    def __call__(self, seconds_of: Callable[[int], float]) -> int:
        if self.known is None:
            widths = _read()
            if widths.get(self._key) not in self._candidates:
                widths[self._key] = fastest(seconds_of, self._candidates)
                _write(widths)
            self.known = widths[self._key]
        return self.known


def seeds_together(setting: int | str) -> int:
    """Returns how many runs are trained side by side: as configured, else 1 on a CPU, 16 elsewhere.

    On a CPU the gain is small, and a program is compiled for every number of runs.
    """
    if isinstance(setting, int):
        return setting
    return 1 if jax.default_backend() == "cpu" else 16


def _file() -> Path:
    return platformdirs.user_cache_path("landscape") / "side_by_side.json"


def _read() -> dict[str, int]:
    try:
        widths = json.loads(_file().read_text())
    except (OSError, ValueError):
        return {}
    return widths if isinstance(widths, dict) else {}


def _write(widths: dict[str, int]) -> None:
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        temporary = _file().with_suffix(".new")
        temporary.write_text(json.dumps(widths, indent=2))
        temporary.replace(_file())
    except OSError:
        return
