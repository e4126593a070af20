"""Windows of faces in frames of 320 x 240."""

from __future__ import annotations

from streamdeblur.faces.window import FaceWindow

WINDOWS = {
    "enlarging": [FaceWindow(50.3, 31.2, 40.6)],
    "shrinking": [FaceWindow(170.3, 140.7, 611.0)],
    "over the left and upper border": [FaceWindow(4.0, 3.0, 60.0)],
    "over the right and lower border": [FaceWindow(313.5, 237.2, 60.0)],
    "overlapping": [FaceWindow(100.3, 90.2, 80.6), FaceWindow(130.0, 100.0, 95.0), FaceWindow(160.9, 110.0, 70.3)],
    "apart": [FaceWindow(60.3, 60.2, 80.6), FaceWindow(250.0, 180.0, 95.0)],
    "tiny": [FaceWindow(48.0, 36.0, 5.0)],
}
STRENGTHS = (1.0, 0.7, 0.4)
"""One for each window of the longest list."""

THREE_WINDOWS = [FaceWindow(100.3, 90.2, 80.6), FaceWindow(130.0, 100.0, 95.0), FaceWindow(310.9, 230.0, 70.3)]
"""Two that overlap, and one over the border."""
