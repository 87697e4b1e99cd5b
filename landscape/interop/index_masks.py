"""Masks as indices of tensors."""

from typing import Any

import torch


def is_mask(index: Any) -> bool:
    """Returns whether an index selects the elements that are not 0."""
    return index is not None and index.dtype in (torch.bool, torch.uint8)


def positions_of(indices: Any) -> list[torch.Tensor | None]:
    """Returns indices with the positions of selected elements in place of masks."""
    positions: list[torch.Tensor | None] = []
    for index in indices:
        positions += index.nonzero().unbind(1) if is_mask(index) else [index]
    return positions


def aligned(x: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Returns a tensor and its mask with the same shape."""
    shape = torch.broadcast_shapes(x.shape, mask.shape)
    return x.expand(shape), [mask.expand(shape)]
