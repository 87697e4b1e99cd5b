"""Losses, one module a task: `loss(predictions, targets, *, option=...) -> array`."""
