"""The layers of the program, read from its imports: a module may import only downwards."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "landscape"
LAYERS = [
    ("cli",),
    ("api", "export"),
    ("report",),
    (
        "across",
        "estimate",
        "examine",
        "executors",
        "experiment",
        "instruments",
        "measurements",
        "preflight",
        "program",
        "starter",
        "sweep",
        "workshop",
    ),
    ("lock", "progress", "plan"),
    ("store", "numbers", "tuning"),
    (
        "audit",
        "checks",
        "curvature",
        "geometry",
        "hoist",
        "points",
        "radius",
        "rays",
        "risk",
        "slices",
        "smoothness",
        "train",
        "user_calls",
    ),
    ("parts",),
    ("compiling", "jaxpr"),
    ("config",),
    ("catalog",),
    ("disk",),
    ("errors",),
]
NEVER = {
    "report": {"jax", "jaxlib", "optax", "equinox"},
    "store": {"jax", "jaxlib", "optax", "equinox"},
    "disk": {"jax", "jaxlib", "optax", "equinox", "pandas"},
    "checks": {"jax", "jaxlib", "optax", "equinox"},
    "geometry": {"jax", "jaxlib", "optax", "equinox"},
    "radius": {"jax", "jaxlib", "optax", "equinox"},
    "smoothness": {"jax", "jaxlib", "optax", "equinox"},
    "config": {"jax", "pandas", "matplotlib", "sklearn"},
    "catalog": {"jax", "pandas", "matplotlib", "sklearn"},
    "audit": {"click", "matplotlib", "os", "pandas"},
    "train": {"pathlib", "os"},
    "slices": {"pathlib", "os"},
    "risk": {"pathlib", "os"},
}


def modules():
    return sorted(p for p in ROOT.rglob("*.py") if p.name != "__init__.py" or p.parent != ROOT)


def imported(path):
    """The dotted names a module imports, relative ones resolved, type checking left out."""
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


def top(dotted):
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "landscape" else None


def layer(name):
    return next(i for i, names in enumerate(LAYERS) if name in names)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_only_downwards(path):
    own = path.relative_to(ROOT).with_suffix("").parts[0]
    known = {name for names in LAYERS for name in names}
    assert own in known, f"{own} stands on no layer"
    for dotted in imported(path):
        assert dotted.split(".")[0] not in NEVER.get(own, ()), f"{own} imports {dotted}"
        target = top(dotted)
        if target in known and target != own:
            assert layer(target) >= layer(own), f"{own} imports {target}, which stands above it"


def test_families_of_parts_know_nothing_of_each_other():
    families = {p.stem for p in (ROOT / "parts").iterdir() if p.stem != "__init__"}
    for path in sorted((ROOT / "parts").rglob("*.py")):
        own = path.relative_to(ROOT / "parts").with_suffix("").parts[0]
        for dotted in imported(path):
            parts = dotted.split(".")
            if parts[:2] == ["landscape", "parts"] and len(parts) > 2:
                allowed = {own, "activations"} if own == "models" else {own}
                assert parts[2] not in families - allowed, f"{own} imports {dotted}"
