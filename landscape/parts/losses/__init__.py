"""Losses, one module per task: `loss(predictions, targets, *, option=...) -> array`."""
