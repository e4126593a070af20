"""Reports as tables: CSV and Parquet. Rows are written as they come."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Self

from streamdeblur.faces.decision import FaceDecision
from streamdeblur.reports.report import FaceRow
from streamdeblur.video.planes import Planes

COLUMNS = [field.name for field in fields(FaceRow)]
ROWS_AT_ONCE = 10_000
"""Rows of a group of a Parquet file."""


class CsvReport:
    """A report as CSV; what is not known is empty."""

    def __init__(self, path: Path) -> None:
        self._opened = ExitStack()
        self._file = self._opened.enter_context(path.open("w", newline="", encoding="utf-8"))
        self._writer = csv.DictWriter(self._file, COLUMNS)
        self._writer.writeheader()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def add(
        self, frame: int, time: float, planes: Planes, faces: Sequence[FaceDecision], blur_after: Callable[[FaceDecision], float]
    ) -> None:
        self._writer.writerows(asdict(FaceRow.of(frame, time, planes, face, blur_after(face))) for face in faces)


class ParquetReport:
    """A report as Apache Parquet; what is not known is null."""

    def __init__(self, path: Path) -> None:
        import pyarrow
        from pyarrow import parquet

        kinds = {"int": pyarrow.int64(), "float": pyarrow.float64(), "str": pyarrow.string()}
        types = {field.name: str(field.type).removesuffix(" | None") for field in fields(FaceRow)}
        self._schema = pyarrow.schema([(name, kinds[types[name]]) for name in COLUMNS])
        self._writer = parquet.ParquetWriter(path, self._schema)
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._write()
        finally:
            self._writer.close()

    def add(
        self, frame: int, time: float, planes: Planes, faces: Sequence[FaceDecision], blur_after: Callable[[FaceDecision], float]
    ) -> None:
        self._rows += [asdict(FaceRow.of(frame, time, planes, face, blur_after(face))) for face in faces]
        if len(self._rows) >= ROWS_AT_ONCE:
            self._write()

    def _write(self) -> None:
        import pyarrow

        self._writer.write_table(pyarrow.Table.from_pylist(self._rows, self._schema))
        self._rows = []
