"""How many points are evaluated side by side: found by a short trial, and remembered."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import jax
import platformdirs

# What is tried where nothing is known. On a CPU nothing: its bytes must not depend on timing, and
# little can be won, since a batch of convolutions whose weights differ becomes a grouped one.
CANDIDATES = {"cpu": (1,)}
ELSEWHERE = (1, 4, 16, 64)
# A larger number has to be this much faster, since its results need more memory.
WORTH = 0.9


def fastest(seconds_of: Callable[[int], float], candidates: Sequence[int]) -> int:
    """The number with the smallest seconds a point; a larger one only where it is worth it."""
    best, least = candidates[0], seconds_of(candidates[0])
    for candidate in candidates[1:]:
        seconds = seconds_of(candidate)
        if seconds < WORTH * least:
            best, least = candidate, seconds
    return best


class PointWidth:
    """How many points a program evaluates side by side: as asked, else as found on this device.

    What was found is remembered in the user's cache folder; where that cannot be written, it is
    found anew in every process. `known` is None until slices are computed.
    """

    def __init__(self, asked: int | Literal["auto"], program: str) -> None:
        device = jax.devices()[0]
        own = CANDIDATES.get(device.platform, ELSEWHERE)
        self._candidates = own if asked == "auto" else (asked,)
        self._key = f"{device.device_kind}: {hashlib.sha256(program.encode()).hexdigest()[:16]}"
        only = len(self._candidates) == 1
        self.known: int | None = self._candidates[0] if only else None

    def __call__(self, seconds_of: Callable[[int], float]) -> int:
        if self.known is None:
            self.known = self._remembered() or self._tried(seconds_of)
        return self.known

    def _remembered(self) -> int | None:
        found = _read().get(self._key)
        return found if found in self._candidates else None

    def _tried(self, seconds_of: Callable[[int], float]) -> int:
        found = fastest(seconds_of, self._candidates)
        _write(_read() | {self._key: found})
        return found


def seeds_together(asked: int | str) -> int:
    """How many runs are trained side by side: as asked, else one on a CPU and 16 elsewhere.

    On a CPU there is little to win, and a program is compiled for every number of them.
    """
    if isinstance(asked, int):
        return asked
    return 1 if jax.default_backend() == "cpu" else 16


def _file() -> Path:
    return platformdirs.user_cache_path("landscape") / "side_by_side.json"


def _read() -> dict[str, int]:
    try:
        found = json.loads(_file().read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(known: dict[str, int]) -> None:
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        fresh = _file().with_suffix(".new")
        fresh.write_text(json.dumps(known, indent=2))
        fresh.replace(_file())
    except OSError:
        return
