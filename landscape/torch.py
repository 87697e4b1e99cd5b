"""Recording of training loops in PyTorch: `landscape.torch.Recorder(module, loss)`."""

from landscape.errors import UserError

try:
    from landscape.recorder.torch_recorder import Recorder
except ImportError as error:
    if error.name != "torch":
        raise
    raise UserError(
        "PyTorch is not installed", hint="install it: `pip install 'landscape[torch]'`"
    ) from error

__all__ = ["Recorder"]
