"""Points in files."""

from pathlib import Path

from safetensors.numpy import load_file

from landscape.errors import UserError
from landscape.parts.points._trained_point import TrainedPoint


def safetensors(*, params: Path, initial: Path | None = None) -> TrainedPoint:
    """Parameters in a safetensors file, by the paths of the model's parameters.

    A tensor is named like its parameter, as in `layers/0/weight`, or `trained/layers/0/weight` as
    in `params.safetensors` of a run; other tensors are ignored. `initial`: such a file of the
    parameters before training; null: `initial/...` of the first file, if it has them. Choose it for
    a model of the config whose parameters another program wrote.
    """
    tensors = _read(params)
    trained = _under("trained/", tensors) or tensors
    start = _under("initial/", tensors) or None
    if initial is not None:
        others = _read(initial)
        start = _under("initial/", others) or others
    return TrainedPoint(trained, initial=start, description=f"parameters of {params.name}")


def _read(path: Path) -> dict:
    try:
        return load_file(path)
    except Exception as error:  # of the library, in Rust
        hint = "write it with safetensors.numpy.save_file"
        raise UserError(f"{path} is not a safetensors file: {error}", hint=hint) from None


def _under(prefix: str, tensors: dict) -> dict:
    """Returns the tensors under a prefix, by the rest of their names."""
    names = [name for name in tensors if name.startswith(prefix)]
    return {name.removeprefix(prefix): tensors[name] for name in names}
