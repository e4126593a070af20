"""Track faces with supervision, restore them, and draw their boxes and numbers.

pip install . supervision trackers   # in a clone of streamdeblur
python examples/supervision_faces.py talk.mp4 tracked.mp4
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import supervision as sv
from trackers import ByteTrackTracker

from streamdeblur import StreamItem
from streamdeblur.faces.detect import open_detector
from streamdeblur.plugins.stages import Deblur, Sequential


def track(frames: Iterator[np.ndarray]) -> Iterator[StreamItem]:
    """Yield each frame (BGR) with the faces in it, numbered."""
    detector, tracker = open_detector("centerface"), ByteTrackTracker()
    for frame in frames:
        faces = detector.detect(np.ascontiguousarray(frame[..., ::-1]))
        detections = sv.Detections.empty()
        if faces:
            boxes, scores = np.stack([face.box for face in faces]), np.array([face.score for face in faces])
            detections = sv.Detections(boxes, confidence=scores, class_id=np.zeros(len(faces), int))
        yield StreamItem(frame, tracker.update(detections))


def annotate(items: Iterator[StreamItem]) -> Iterator[np.ndarray]:
    """Yield each frame with its boxes and numbers drawn."""
    boxes, labels = sv.BoxAnnotator(), sv.LabelAnnotator()
    for item in items:
        names = [f"face {number}" for number in item.faces.tracker_id]
        yield labels.annotate(boxes.annotate(item.frame, item.faces), item.faces, names)


def main(source: str, target: str) -> None:
    pipeline = Sequential(track, Deblur(bgr=True), annotate)
    with sv.VideoSink(target, sv.VideoInfo.from_video_path(source)) as sink:
        for frame in pipeline(sv.get_video_frames_generator(source)):
            sink.write_frame(frame)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
