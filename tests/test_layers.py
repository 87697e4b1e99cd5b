"""Folders are layers: a module imports only from its own folder and from folders below it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "landscape"
# From the top down.
LAYERS = [
    "__main__",
    "cli",
    "api",
    "testing",
    "torch",
    "recorder",
    "sweep",
    "run",
    "export",
    "report",
    "starter",
    "audit",
    "numerics",
    "compare",
    "storage",
    "config",
    "catalog",
    "adapters",
    "interop",
    "parts",
    "errors",
]
JAX = {"jax", "jaxlib", "optax", "equinox"}
# Packages that a folder or a module never imports at its top level.
NEVER = {
    "report": JAX,
    "export": JAX,
    "recorder/recorded_loop": JAX,
    "recorder/torch_recorder": JAX,
    "recorder/torch_rows": JAX,
    "storage": JAX,
    "config": JAX | {"pandas", "matplotlib", "sklearn"},
    "catalog": JAX | {"pandas", "matplotlib", "sklearn"},
    "compare": JAX | {"pandas", "matplotlib", "os", "pathlib"},
    "audit": {"click", "matplotlib", "os", "pandas"},
    "audit/curvature_note": JAX,
    "interop/keras_recognition": JAX | {"keras", "torch"},
    "interop/libraries": JAX | {"keras", "torch"},
    "interop/torch_recognition": {"torch"},
    "numerics/auto_radius": JAX,
    "numerics/checks": JAX,
    "numerics/geometry": JAX,
    "numerics/risk": {"pathlib", "os"},
    "numerics/slices": {"pathlib", "os"},
    "numerics/train": {"pathlib", "os"},
    "storage/disk": {"pandas"},
}


def modules():
    return sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem in LAYERS)


def imported_names(path):
    """The dotted names that a module imports, except those for type checking only."""
    tree = ast.parse(path.read_text())
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def folder_of(dotted):
    """The layer that a dotted name belongs to, None for other packages."""
    steps = dotted.split(".")
    return steps[1] if len(steps) > 1 and steps[0] == "landscape" else None


def test_every_folder_is_a_layer():
    folders = {path.stem for path in ROOT.iterdir() if path.suffix in ("", ".py")}
    assert folders - {"__init__", "__pycache__"} == set(LAYERS)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path):
    place = path.relative_to(ROOT).with_suffix("")
    layer = LAYERS.index(place.parts[0])
    prefixes = {"/".join(place.parts[:count]) for count in range(1, len(place.parts) + 1)}
    never = set().union(*(NEVER.get(prefix, set()) for prefix in prefixes))
    for dotted in imported_names(path):
        assert dotted.split(".")[0] not in never, f"{place} imports {dotted}"
        target = folder_of(dotted)
        if target in LAYERS:
            assert LAYERS.index(target) >= layer, f"{place} imports {dotted}, which is above it"


def test_families_of_parts_are_independent():
    families = {p.stem for p in (ROOT / "parts").iterdir() if not p.stem.startswith("_")}
    for path in sorted((ROOT / "parts").rglob("*.py")):
        family = path.relative_to(ROOT / "parts").with_suffix("").parts[0]
        for dotted in imported_names(path):
            steps = dotted.split(".")
            if steps[:2] == ["landscape", "parts"] and len(steps) > 2:
                allowed = {family, "tasks"} | ({"activations"} if family == "models" else set())
                assert steps[2] not in families - allowed, f"{family} imports {dotted}"
