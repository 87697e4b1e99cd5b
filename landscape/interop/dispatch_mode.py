"""The base class of modes that see each ATen operation."""

from torch.utils._python_dispatch import TorchDispatchMode


class DispatchMode(TorchDispatchMode):
    """A dispatch mode that does not import torch's compiler, which takes longer than torch itself.

    Torch wraps the modes for programs that its compiler traces; a recorded loss runs without it.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False
