"""Data sets of faces from any folder of videos and pictures."""
