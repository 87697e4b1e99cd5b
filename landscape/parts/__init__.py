"""What a config can name: one module or folder per family, whose public functions are its menu."""
