"""Figures: of an image against the sharp one, of many images together, of the frames of a video."""
