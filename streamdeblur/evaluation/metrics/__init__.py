"""Metrics of a face against the sharp one, of many faces together, and of the frames of a video."""
