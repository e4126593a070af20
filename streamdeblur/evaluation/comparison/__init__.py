"""Comparison of videos with a sharp one of the same scene: the faces of the sharp video, in the same windows of all."""
