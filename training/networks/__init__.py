"""The networks of both steps, and their shapes (`presets`, which imports no torch)."""
