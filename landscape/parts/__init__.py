"""What a config can name: one module or folder a family, its public functions are the menu."""
