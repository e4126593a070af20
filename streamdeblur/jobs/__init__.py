"""Whole pieces of work: a video, a picture, or many files."""
