"""Statistics of a data set: the columns of the paper's Table 2, histograms, ages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from streamdeblur.errors import InputError
from streamdeblur.faces.window import CROP_SIZE, WINDOW_SCALE
from streamdeblur.training.datasets.ages import AgeModel
from streamdeblur.training.datasets.shards import Sample, find_shards, read_samples, shards_in
from streamdeblur.training.datasets.splits import SPLITS

EDGES: dict[str, Sequence[float]] = {
    "length": (0, 30, 50, 75, 100, 150, 200, 300, 400, 500),
    "size": (0, 100, 125, 150, 200, 250, 300, 400, 600, 1000),
    "sharpness": (0, 15, 30, 40, 60, 100, 200, 400, 800),
    "motion": (0, 0.25, 0.5, 1, 2, 3, 5, 8, 12, 20),
    "age": tuple(range(0, 81, 4)),
}
"""Where the bins of each histogram begin; the last one is open. Ages: 20 bins of 4 years, as in Fig. 7 a, and one beyond."""
TITLES = {
    "length": "Length of a clip (frames)",
    "size": "Size of a face in its source (pixels)",
    "sharpness": "Sharpness (variance of the Laplacian of the face at 256 px)",
    "motion": "Motion of a face (pixels of a 256 px crop per frame, mean of a clip)",
    "age": "Age of a person (years, as estimated)",
}


@dataclass(frozen=True)
class StatisticsRow:
    """A row of Table 2."""

    name: str
    videos: int
    """Files that clips or stills are from."""
    identities: int
    frames: int
    sequential: bool
    """Whether the frames are sequential ones of videos."""
    identity_info: bool
    """Whether all identities come from a table or folders; otherwise each file without one counts as a person."""
    samples: int
    """Clips or stills; not in the paper's table."""


@dataclass
class DatasetStatistics:
    """Statistics of a data set."""

    rows: list[StatisticsRow] = field(default_factory=list)
    """One for each split that there is, and one for all of them together."""
    values: dict[str, list[float]] = field(default_factory=dict)
    """What the histograms are of, one value per clip or still (per person for ages)."""

    def histogram(self, name: str) -> list[int]:
        """Return the counts between the `EDGES` of that name, the last bin open."""
        return list(map(int, np.histogram(self.values[name], [*EDGES[name], np.inf])[0]))

    def as_dict(self) -> dict[str, Any]:
        """Return the statistics for JSON."""
        histograms = {name: {"edges": list(EDGES[name]), "counts": self.histogram(name)} for name in self.values}
        return {"table": [asdict(row) for row in self.rows], "histograms": histograms}


def measure(data_set: Path, age_model: AgeModel | None = None) -> DatasetStatistics:
    """Read the records of all splits of a data set of clips or stills.

    Args:
        data_set: Folder of the data set.
        age_model: Estimates one age per person; None leaves ages out.

    Raises:
        InputError: There is no data set, or it is not one of clips or stills.
    """
    folders: dict[str, Path] = {split: data_set / split for split in SPLITS if shards_in(data_set / split)}
    folders = folders or {data_set.name: data_set}
    found = DatasetStatistics()
    records: dict[str, list[dict[str, Any]]] = {}
    ages: dict[str, list[int]] = {}
    for split, folder in folders.items():
        records[split] = []
        for shard in find_shards(folder):
            for sample in read_samples(shard, *([] if age_model else ["json"])):
                record = sample.record
                if "identity_from" not in record:
                    raise InputError(f"{data_set} holds neither clips nor stills.")
                records[split].append(record)
                if age_model is not None:
                    ages.setdefault(record["identity"], []).append(_age(sample, record, age_model))
    everything = [record for split in records.values() for record in split]
    if not everything:
        raise InputError(f"{data_set} holds nothing. Make a data set with: streamdeblur dataset build VIDEOS {data_set}")
    found.rows = [_row(split, listed) for split, listed in records.items()]
    if len(found.rows) > 1:
        found.rows.append(_row("all", everything))
    found.values = _values(everything)
    if age_model is not None:
        found.values["age"] = [float(np.median(years)) for years in ages.values()]
    return found


def _row(name: str, records: Sequence[dict[str, Any]]) -> StatisticsRow:
    return StatisticsRow(
        name,
        videos=len({record["source_sha256"] for record in records}),
        identities=len({record["identity"] for record in records}),
        frames=sum(record.get("frames", 1) for record in records),
        sequential=all("frames" in record for record in records),
        identity_info=all(record["identity_from"] != "file" for record in records),
        samples=len(records),
    )


def _values(records: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    values = {
        "length": [record["frames"] for record in records if "frames" in record],
        "size": [record["face_px"] for record in records if "face_px" in record],
        "sharpness": [record["sharpness"] for record in records],
        "motion": [record["motion"]["mean"] for record in records if "motion" in record],
    }
    return {name: list(map(float, listed)) for name, listed in values.items() if listed}


def _age(sample: Sample, record: dict[str, Any], model: AgeModel) -> int:
    """Estimate the age of the face in a still, or in the first frame of a clip, as in the paper."""
    from streamdeblur.training.datasets.pictures import decode_picture, first_frame

    if "mp4" in sample.files:
        return model(first_frame(sample.files["mp4"]), np.array(record["boxes"][0]))
    # a crop without a measured box is a window around its face
    margin = CROP_SIZE * (1 - 1 / WINDOW_SCALE) / 2
    box = record.get("box") or [margin, margin, CROP_SIZE - margin, CROP_SIZE - margin]
    return model(decode_picture(sample.files["jpg"], CROP_SIZE), np.array(box))
