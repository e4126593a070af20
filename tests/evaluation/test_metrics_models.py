"""Landmark detectors and embedders, on real faces and on networks whose output is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamdeblur.engines.openvino import core
from streamdeblur.errors import InputError, OptionError
from streamdeblur.evaluation.cases import Case
from streamdeblur.evaluation.evaluator import Evaluator, EvaluatorSettings
from streamdeblur.evaluation.metrics.dlib_models import recognition_weights
from streamdeblur.evaluation.metrics.face_mesh import VERTICES_OF_68_POINTS, find_face_mesh
from streamdeblur.evaluation.metrics.heatmap_landmarks import MIRRORED, mirrored_points, shipped_landmark_network
from streamdeblur.evaluation.metrics.identity import cosine, open_embedder
from streamdeblur.evaluation.metrics.insightface_models import five_points
from streamdeblur.evaluation.metrics.landmark_detectors import open_landmark_detector, second_landmark_detector
from streamdeblur.evaluation.metrics.landmarks import landmark_error

BOXES = ((61, 267, 165, 393), (747, 343, 845, 481), (466, 268, 572, 411), (1133, 268, 1228, 401))
"""Faces in the photograph that look more or less into the camera: x0, y0, x1, y1."""


@pytest.fixture(scope="module")
def windows(photograph):
    """The windows of these faces, uint8 RGB [256, 256, 3]."""
    return [window(photograph, np.array(box[:2]), np.array(box[2:]))[0] for box in BOXES]


def window(picture, low, high):
    """The square of 1.7 times a box, at 256 x 256, and the matrix [2, 3] that brings points into it."""
    scale = 256 / (1.7 * (high - low).max())
    matrix = np.column_stack([scale * np.eye(2), 128 - scale * (low + high) / 2])
    border = cv2.BORDER_REPLICATE
    return cv2.warpAffine(picture, matrix, (256, 256), flags=cv2.INTER_CUBIC, borderMode=border), matrix


@pytest.fixture(scope="module")
def dlib_models():
    """dlib's localiser and embedder."""
    pytest.importorskip("dlib", reason="dlib comes with the extra eval")
    return open_landmark_detector("dlib"), open_embedder("dlib")


@pytest.fixture(scope="module")
def heatmap():
    """The shipped network."""
    return open_landmark_detector("heatmap")


@pytest.fixture(scope="module")
def mesh():
    """MediaPipe's face mesh, where a MediaPipe that carries it is installed."""
    try:
        return open_landmark_detector(f"mesh:{find_face_mesh()}")
    except OptionError as error:
        pytest.skip(str(error))


def write_constant(path, shape, outputs):
    """An ONNX network that gives the same tensors for every input of the shape; outputs: by name."""
    weights = [numpy_helper.from_array(np.asarray(value, np.float32), f"{name} value") for name, value in outputs.items()]
    # the input has to be used by something: all of it, times zero
    weights.append(numpy_helper.from_array(np.zeros((), np.float32), "zero"))
    nodes = [
        helper.make_node("Mul", ["image", "zero"], ["black"]),
        helper.make_node("ReduceSum", ["black"], ["nothing"], keepdims=0),
    ]
    nodes += [helper.make_node("Add", [f"{name} value", "nothing"], [name]) for name in outputs]
    return save(path, nodes, shape, {name: np.shape(value) for name, value in outputs.items()}, weights)


def write_pooling(path, side=112):
    """An ONNX network whose embedding of a face is a small picture of it."""
    nodes = [
        helper.make_node("AveragePool", ["image"], ["small"], kernel_shape=[14, 14], strides=[14, 14]),
        helper.make_node("Flatten", ["small"], ["embedding"]),
    ]
    return save(path, nodes, (1, 3, side, side), {"embedding": (1, 3 * (side // 14) ** 2)}, [])


def save(path, nodes, shape, outputs, weights):
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in outputs.items()],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def moved(face, angle=0.0, scale=1.0, shift=(0.0, 0.0)):
    """A face turned (degrees), scaled and shifted about its middle, and the function that does so to points."""
    matrix = cv2.getRotationMatrix2D((127.5, 127.5), angle, scale)
    matrix[:, 2] += shift
    picture = cv2.warpAffine(face, matrix, (256, 256), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return picture, lambda points: points @ matrix[:, :2].T + matrix[:, 2]


def test_landmarks_lie_where_they_should(dlib_models, windows):
    points = dlib_models[0](windows[1])
    assert points.shape == (68, 2)
    eye, other_eye, nose, mouth_left, mouth_right = five_points(points)
    assert eye[0] < nose[0] < other_eye[0]
    assert max(eye[1], other_eye[1]) < nose[1] < min(mouth_left[1], mouth_right[1])


def test_blur_moves_landmarks_and_changes_identity(dlib_models, windows):
    localise, embed = dlib_models
    sharp = windows[0]
    true = localise(sharp)
    blurred = [cv2.blur(sharp, (1, length)) for length in (5, 41)]
    errors = [landmark_error(localise(image), true) for image in blurred]
    alike = [cosine(embed(image, localise(image)), embed(sharp, true)) for image in blurred]
    assert 0.0 < errors[0] < errors[1]
    assert 1.0 > alike[0] > alike[1]


@pytest.mark.parametrize("angle", [-40, 0, 15])
def test_the_embedding_is_the_one_that_dlib_computes(dlib_models, windows, angle):
    import dlib

    localise, embed = dlib_models
    network = dlib.face_recognition_model_v1(str(recognition_weights()))
    for face in windows:
        turned, at = moved(face, angle)
        points = at(localise(face))
        parts = [dlib.point(x, y) for x, y in np.rint(points).astype(int).tolist()]
        shape = dlib.full_object_detection(dlib.rectangle(50, 50, 206, 206), parts)
        vector = np.array(network.compute_face_descriptor(turned, shape))
        assert np.abs(embed(turned, points) - vector / np.linalg.norm(vector)).max() < 1e-5


def test_damaged_weights_of_the_embedding_are_told(dlib_models, monkeypatch, tmp_path):
    (tmp_path / "weights.dat").write_bytes(recognition_weights().read_bytes()[:100_000])
    monkeypatch.setattr("face_recognition_models.face_recognition_model_location", lambda: str(tmp_path / "weights.dat"))
    with pytest.raises(InputError, match=r"weights\.dat does not hold dlib's network"):
        open_embedder("dlib")


def test_the_embedding_tells_people_apart(dlib_models, windows):
    localise, embed = dlib_models
    first, other = (embed(face, localise(face)) for face in windows[:2])
    smaller, at = moved(windows[0], angle=5, scale=0.95)
    again = embed(smaller, at(localise(windows[0])))
    assert np.linalg.norm(first) == pytest.approx(1.0)
    assert cosine(first, again) > 0.97 > cosine(first, other)


def test_the_mesh_agrees_with_dlib(mesh, dlib_models, windows):
    # 1.9 % in the median of real frames; other models, so never the same
    errors = [landmark_error(mesh(face), dlib_models[0](face)) for face in windows]
    assert 0.0 < np.median(errors) < 0.04


def test_the_mesh_follows_the_face(mesh, windows):
    true = mesh(windows[0])
    for change in ({"angle": 15}, {"scale": 0.85}, {"shift": (12, -9)}):
        picture, at = moved(windows[0], **change)
        assert landmark_error(mesh(picture), at(true)) < 0.03


def test_the_mesh_of_a_mirrored_face_is_the_mirrored_mesh(mesh, windows):
    mirrored = mesh(np.ascontiguousarray(windows[0][:, ::-1]))
    assert landmark_error(mirrored_points(mirrored, 256), mesh(windows[0])) < 0.03


def test_points_of_the_mesh_are_brought_back_from_the_upright_view(tmp_path, windows):
    # A mesh whose corners of the eyes are tilted by 30 degrees, in every view it is given
    vertices = np.full((468, 3), 96.0)
    half = 40 * np.array([np.cos(np.pi / 6), np.sin(np.pi / 6)])
    vertices[33, :2] -= half
    vertices[263, :2] += half
    outputs = {"points": vertices.reshape(1, 1, 1, 1404), "score": np.ones((1, 1, 1, 1))}
    localise = open_landmark_detector(f"mesh:{write_constant(tmp_path / 'mesh.onnx', (1, 192, 192, 3), outputs)}")
    left, right = localise(windows[0])[[36, 45]]
    # The first view of 192 px is the middle 256 * 1.5 / 1.7 of the crop. In it the eyes are 80 px apart, so the second view is
    # 1.5 times that wide and tilted by 30 degrees; and there the eyes are tilted by another 30.
    apart = (80 * 256 * 1.5 / 1.7 / 192) * 1.5 * 80 / 192
    assert right - left == pytest.approx(apart * np.array([np.cos(np.pi / 3), np.sin(np.pi / 3)]), abs=1e-3)
    assert (left + right) / 2 == pytest.approx([128, 128], abs=1e-3)


def test_the_mark_up_of_the_mesh_has_68_vertices_of_their_own():
    assert len(set(VERTICES_OF_68_POINTS)) == len(VERTICES_OF_68_POINTS) == 68


def test_the_heatmap_network_agrees_with_dlib(heatmap, dlib_models, windows):
    # 1.8 % in the median of real frames; other models, so never the same
    errors = [landmark_error(heatmap(face), dlib_models[0](face)) for face in windows]
    assert 0.0 < np.median(errors) < 0.04


def test_the_heatmap_network_finds_eyes_nose_and_mouth(heatmap, windows):
    for face in windows:
        points = heatmap(face)
        assert points.shape == (68, 2)
        eye, other_eye, nose, mouth_left, mouth_right = five_points(points)
        assert eye[0] < nose[0] < other_eye[0]
        assert max(eye[1], other_eye[1]) < nose[1] < min(mouth_left[1], mouth_right[1])


def test_the_heatmap_network_follows_the_face(heatmap, windows):
    true = heatmap(windows[0])
    for change in ({"angle": 15}, {"scale": 0.85}, {"shift": (12, -9)}):
        picture, at = moved(windows[0], **change)
        assert landmark_error(heatmap(picture), at(true)) < 0.03


def test_points_of_a_mirrored_face_are_the_mirrored_points(heatmap, windows):
    for face in windows:
        mirrored = heatmap(np.ascontiguousarray(face[:, ::-1]))
        assert landmark_error(mirrored_points(mirrored, 256), heatmap(face)) < 0.0075
    assert sorted(MIRRORED) == list(range(68))
    assert all(MIRRORED[MIRRORED[n]] == n for n in range(68))


def test_blur_moves_the_points_of_the_heatmap_network(heatmap, windows):
    errors = [[landmark_error(heatmap(cv2.blur(face, (1, n))), heatmap(face)) for face in windows] for n in (5, 21, 61)]
    weak, middle, strong = np.mean(errors, 1)
    assert 0.0 < weak < middle < strong


def test_the_heatmap_network_is_run_on_two_views_and_the_mirror_image_of_the_second(heatmap, windows):
    """Against a plain form on another engine."""
    network = core().compile_model(str(shipped_landmark_network()), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    luma = cv2.cvtColor(windows[1], cv2.COLOR_RGB2GRAY)

    def found(angle, centre, face, scale, mirror):
        zoom = 128 / (scale * face)
        turn = zoom * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        matrix = np.column_stack([turn, 64 - turn @ centre])
        view = cv2.warpAffine(luma, matrix, (128, 128), borderMode=cv2.BORDER_REPLICATE)
        one, other = (network([np.float32(v)[None, None] / 255])[0][0].astype(float) for v in (view, view[:, ::-1]))
        mean = (one + np.column_stack([127 - other[:, 0], other[:, 1]])[list(MIRRORED)]) / 2 if mirror else one
        return (mean - matrix[:, 2]) @ np.linalg.inv(turn).T

    first = found(0.0, np.array([128.0, 128.0]), 256 / 1.7, 1.3, mirror=False)
    across, down = first[42:48].mean(0) - first[36:42].mean(0)
    angle = np.arctan2(down, across)
    level = first @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = (level.min(0) + level.max(0)) / 2
    centre = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ middle
    second = found(angle, centre, np.ptp(level, 0).max(), 1.35, mirror=True)
    assert np.abs(heatmap(windows[1]) - second).max() < 0.02


def test_points_of_insightface_are_brought_back_to_the_crop(tmp_path, windows):
    # Of 1103 points in [-1, 1] the last 68 are meant; all in the middle of the view but one at its right edge
    points = np.zeros((1103, 3))
    points[-1] = (1.0, 0.0, 0.5)
    network = write_constant(tmp_path / "1k3d68.onnx", (1, 3, 192, 192), {"points": points.reshape(1, 3309)})
    found = open_landmark_detector(f"insightface:{network}")(windows[0])
    assert found.shape == (68, 2)
    assert found[:67] == pytest.approx(np.full((67, 2), 128.0), abs=0.01)
    # the view is 1.5 times the face, which is 256 / 1.7
    assert found[67] == pytest.approx([128 + 0.75 * 256 / 1.7, 128], abs=0.01)


def test_arcface_is_given_upright_faces_of_one_size(tmp_path, dlib_models, windows):
    embed = open_embedder(f"arcface:{write_pooling(tmp_path / 'arcface.onnx')}")
    points = dlib_models[0](windows[0])
    turned, at = moved(windows[0], angle=25, scale=0.8, shift=(5, 10))
    first = embed(windows[0], points)
    assert np.linalg.norm(first) == pytest.approx(1.0)
    assert cosine(first, embed(turned, at(points))) > 0.99
    assert cosine(first, embed(turned, points)) < 0.9


def test_files_are_told_apart(tmp_path):
    first, other = write_pooling(tmp_path / "a.onnx"), tmp_path / "b.onnx"
    other.write_bytes(first.read_bytes())
    assert open_embedder(f"arcface:{first}").fingerprint.split()[1] == open_embedder(f"arcface:{other}").fingerprint.split()[1]
    model = onnx.load(str(other))
    model.doc_string = "another"
    onnx.save(model, str(other))
    assert open_embedder(f"arcface:{first}").fingerprint.split()[1] != open_embedder(f"arcface:{other}").fingerprint.split()[1]


def test_what_cannot_be_opened_is_said(tmp_path):
    text = tmp_path / "text.onnx"
    text.write_text("no network")
    small = write_pooling(tmp_path / "small.onnx", side=56)
    cases = {
        "sift": "Unknown landmark detector 'sift'. Known: dlib",
        f"heatmap:{tmp_path / 'absent.onnx'}": "Cannot read the landmark network",
        f"heatmap:{text}": "not a network that ONNX Runtime can run",
        f"heatmap:{small}": "not a network of 68 points",
        f"mesh:{tmp_path / 'absent.tflite'}": "Cannot read the face mesh",
        f"mesh:{text}": "not a network that OpenVINO can run",
        f"mesh:{small}": "not MediaPipe's face mesh",
        f"insightface:{tmp_path / 'absent.onnx'}": "Cannot read the network",
        f"insightface:{text}": "not a network that InsightFace can run",
        f"insightface:{small}": "does not find 68 points",
    }
    for name, message in cases.items():
        with pytest.raises(OptionError, match=message):
            open_landmark_detector(name)
    for name, message in {"vgg": "Unknown face embedding 'vgg'", f"arcface:{small}": "112 x 112"}.items():
        with pytest.raises(OptionError, match=message):
            open_embedder(name)


def test_the_second_detector_is_always_there_and_another_one_than_the_first(heatmap, dlib_models, windows):
    assert second_landmark_detector(dlib_models[0]).fingerprint == heatmap.fingerprint
    assert second_landmark_detector(heatmap).fingerprint == dlib_models[0].fingerprint
    case = Case("face", cv2.blur(windows[0], (1, 9)), windows[0], "group")
    metrics = Evaluator(EvaluatorSettings(embedder="none"))(case, case.blurry).metrics
    assert metrics["landmarks"] > 0.0
    assert metrics["landmarks_second"] > 0.0
    assert not Evaluator(EvaluatorSettings("none", embedder="none")).detectors, "without a first one, there is none to repeat"


def test_the_heatmap_network_of_another_file_is_another_detector(tmp_path, heatmap):
    other = tmp_path / "other.onnx"
    other.write_bytes(shipped_landmark_network().read_bytes())
    assert open_landmark_detector(f"heatmap:{other}").fingerprint == heatmap.fingerprint
    model = onnx.load(str(other))
    model.doc_string = "another"
    onnx.save(model, str(other))
    assert open_landmark_detector(f"heatmap:{other}").fingerprint != heatmap.fingerprint


def test_model_packs_are_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(OptionError, match=r"No model pack in .* has w600k_r50\.onnx"):
        open_embedder("arcface")
    pack = tmp_path / ".insightface" / "models" / "buffalo_l"
    pack.mkdir(parents=True)
    write_pooling(pack / "w600k_r50.onnx")
    assert open_embedder("arcface").fingerprint.startswith("w600k_r50.onnx ")
    write_constant(pack / "1k3d68.onnx", (1, 3, 192, 192), {"points": np.zeros((1, 3309))})
    insightface = open_landmark_detector("insightface")
    assert insightface.fingerprint.startswith("1k3d68.onnx ")
    # one that is installed by chance does not change what is measured
    assert second_landmark_detector(insightface).fingerprint.startswith("heatmap landmarks ")


def test_the_mesh_on_annotated_frames(mesh):
    folder = Path(__file__).parents[3] / "shared" / "data" / "landmarks68"
    if not folder.is_dir():
        pytest.skip("annotated frames (../shared/data/landmarks68) are not beside this checkout")
    errors = []
    for annotation in sorted(folder.glob("*.pts"))[::20]:
        lines = annotation.read_text().split("{")[1].split("}")[0].split()
        points = np.array(lines, np.float64).reshape(68, 2) - 1
        picture = cv2.imread(str(annotation.with_suffix(".jpg")))[..., ::-1]
        crop, matrix = window(picture, points.min(0), points.max(0))
        errors.append(landmark_error(mesh(crop), points @ matrix[:, :2].T + matrix[:, 2]))
    assert len(errors) == 10
    assert np.median(errors) < 0.03
