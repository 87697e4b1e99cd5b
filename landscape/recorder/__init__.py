"""Records the gradient health of training loops that users wrote themselves."""
