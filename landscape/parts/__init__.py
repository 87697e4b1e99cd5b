"""Parts of a config: one module or folder per family, whose public functions are its menu."""
