"""Reports of what was done with the faces of a video."""
