"""Track faces with norfair, restore them, and draw their boxes.

pip install . && pip install --no-deps norfair filterpy   # in a clone; norfair asks for older NumPy or rich
python examples/norfair_faces.py talk.mp4 tracked.mp4
"""

from __future__ import annotations

import sys

import numpy as np
from norfair import Detection, Tracker, Video, draw_tracked_boxes

from streamdeblur import FaceDeblurrer


def main(source: str, target: str) -> None:
    video = Video(input_path=source, output_path=target)
    tracker = Tracker("iou", distance_threshold=0.7, initialization_delay=0)
    with FaceDeblurrer() as deblurrer:
        for frame in video:
            rgb = np.ascontiguousarray(frame[..., ::-1])
            detections = [Detection(face.box.reshape(2, 2), np.full(2, face.score)) for face in deblurrer.detector.detect(rgb)]
            faces = tracker.update(detections)
            sharp = np.ascontiguousarray(deblurrer.restore_detections(rgb, faces)[..., ::-1])
            video.write(draw_tracked_boxes(sharp, faces))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
