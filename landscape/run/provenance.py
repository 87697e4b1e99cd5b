"""Where and with what a run was made: device, versions, and the revision of the config."""

import functools
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import jax

import landscape
from landscape.config import Run
from landscape.storage.records import MetaRecord


def provenance(run: Run) -> MetaRecord:
    """Returns the record of a run that starts now; what is not known yet is missing."""
    device = jax.devices()[0]
    packages = ("jax", "jaxlib", "optax", "equinox", "numpy")
    versions = {"python": platform.python_version(), "landscape": landscape.__version__}
    return MetaRecord(
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        device=f"{device.platform}: {device.device_kind}",
        devices=jax.local_device_count(),
        machine=platform.platform(),
        versions=versions | {name: _version(name) for name in packages},
        git=_git_revision(run.folder),
    )


_version = functools.cache(version)


@functools.cache
def _git_revision(folder: Path) -> str | None:
    """Returns the revision of the work tree that holds the config, with + if it has changes.

    Read once per process. None outside of a work tree.
    """
    options = ["-c", "core.fsmonitor=false"]  # a monitor would run a program of that repository
    command = ["git", *options, "-C", str(folder)]
    command += ["describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
