"""Video files and frames: reading, writing, pixel formats and colour."""
