"""PyTorch versions of the models `mlp`, `cnn` and `resnet` of landscape with ReLU.

Submodules have the names of the parameters of landscape: `layers/0/weight` there is
`layers.0.weight` here, so that weights can be copied.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

# The fastest batch size of each model on a CPU, None for the whole set: with larger batches the
# outputs of the convolutions no longer fit into the cache.
BATCH = {"mlp": None, "cnn": 125, "resnet": 50}


class Mlp(nn.Module):
    """Dense layers with a ReLU after each, then a linear output; inputs are flattened."""

    def __init__(
        self, input_shape: tuple[int, ...], outputs: int, *, widths: Sequence[int] = (64,)
    ) -> None:
        super().__init__()
        sizes = [math.prod(input_shape), *widths]
        self.layers = nn.ModuleList(nn.Linear(n, m) for n, m in pairwise(sizes))
        self.output = nn.Linear(sizes[-1], outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for layer in self.layers:
            x = functional.relu(layer(x))
        return self.output(x)


class Cnn(nn.Module):
    """Strided convolutions with a ReLU after each, then dense layers."""

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        outputs: int,
        *,
        channels: Sequence[int] = (16, 32),
        kernel: int = 3,
        stride: int = 2,
        widths: Sequence[int] = (64,),
    ) -> None:
        super().__init__()
        sizes = [input_shape[0], *channels]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(n, m, kernel, stride, padding=kernel // 2) for n, m in pairwise(sizes)
        )
        sides = [math.ceil(side / stride ** len(channels)) for side in input_shape[1:]]
        self.dense = Mlp((sizes[-1], *sides), outputs, widths=widths)

    def forward(self, x: Tensor) -> Tensor:
        for convolution in self.convolutions:
            x = functional.relu(convolution(x))
        return self.dense(x)


class Normalized(nn.Module):
    """A 3x3 convolution without bias, then GroupNorm."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.normalization = nn.GroupNorm(math.gcd(outputs, 8), outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.normalization(self.convolution(x))


class Block(nn.Module):
    """relu(x + f(x)); the shortcut has no parameters, but skips pixels and pads channels with 0."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = Normalized(inputs, outputs, stride)
        self.second = Normalized(outputs, outputs, 1)
        self.stride, self.missing = stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(functional.relu(self.first(x)))
        if self.missing or self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
            x = functional.pad(x, (0, 0, 0, 0, 0, self.missing))
        return functional.relu(y + x)


class Resnet(nn.Module):
    """Residual network of depth 6 n + 2 for small images."""

    def __init__(
        self, input_shape: tuple[int, int, int], outputs: int, *, depth: int = 8, width: int = 16
    ) -> None:
        super().__init__()
        blocks = (depth - 2) // 6
        self.stem = Normalized(input_shape[0], width, 1)
        sizes = [width] + [width * factor for factor in (1, 2, 4) for _ in range(blocks)]
        self.blocks = nn.ModuleList(Block(n, m, 1 if n == m else 2) for n, m in pairwise(sizes))
        self.output = nn.Linear(sizes[-1], outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return self.output(x.mean((2, 3)))


# By the names in landscape.
mlp, cnn, resnet = Mlp, Cnn, Resnet


def load(module: nn.Module, params: Mapping[str, np.ndarray]) -> nn.Module:
    """Copies the weights of landscape into the module and returns it."""
    module.load_state_dict(named(module, params))
    return module


def named(module: nn.Module, arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Returns arrays in the layout of landscape by the names and in the shapes of the module."""
    return {
        # In landscape, biases of convolutions have two additional axes of length 1.
        name: torch.tensor(arrays[name.replace(".", "/")]).reshape(parameter.shape)
        for name, parameter in module.named_parameters()
    }
