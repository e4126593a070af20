"""streamdeblur compare: videos of the same scene, compared by their faces with a sharp one, or with each other."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from streamdeblur.archive.inputs import find_inputs
from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.extras import needs_extra
from streamdeblur.cli.options import with_settings
from streamdeblur.cli.output import print_json, terminal_width
from streamdeblur.cli.parameters import Json, Quiet
from streamdeblur.cli.progress import ProgressLine
from streamdeblur.evaluation.options import EvaluationOptions
from streamdeblur.files import refuse_existing, refuse_inputs

logger = logging.getLogger(__name__)

Videos = Annotated[
    list[str],
    typer.Argument(
        help="Videos of one scene, or patterns: the blurred one first. The others are tested against it, and where they are "
        "worse it says so."
    ),
]
Reference = Annotated[
    Path | None,
    typer.Option(
        help="The sharp video of the same scene; frames are matched by their time. Without it, steadiness and how sharp faces "
        "look are all that is measured.",
        show_default=False,
    ),
]
Limit = Annotated[int, typer.Option(min=0, help="Faces at most, spread evenly over the video; 0 takes all.")]
Out = Annotated[Path | None, typer.Option(help="Folder for a report (HTML, Markdown, JSON) and the pictures of the faces.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", "-y", help="Replace a report in the folder.")]


@with_settings(
    EvaluationOptions,
    ["landmark_detector", "second_detector", "embedder"],
    flags={"landmark_detector": "--localiser", "second_detector": "--second"},
)
def command(
    videos: Videos,
    reference: Reference = None,
    limit: Limit = 100,
    out: Out = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    **settings: object,
) -> None:
    with handle_errors(quiet=quiet, json=json):
        options = EvaluationOptions.validated(settings)
        # one that is given twice is told
        paths = [path for given in videos for path in find_inputs([given])]
        if out is not None:
            for name in ("report.html", "report.md", "report.json"):
                refuse_inputs(out / name, *([reference] if reference else []), *paths)
            refuse_existing(out / "report.html", overwrite=overwrite)
        _compare(paths, reference, limit or None, out, options, quiet=quiet, json=json)


def _compare(
    videos: list[Path],
    reference: Path | None,
    limit: int | None,
    out: Path | None,
    options: EvaluationOptions,
    *,
    quiet: bool,
    json: bool,
) -> None:
    with needs_extra("eval", "Comparing"):
        from streamdeblur.evaluation.comparison.compare import check_videos, compare, video_names
        from streamdeblur.evaluation.comparison.faces import find_faces
        from streamdeblur.evaluation.evaluator import Evaluator, EvaluatorSettings
        from streamdeblur.evaluation.report.terminal import terminal_text
        from streamdeblur.evaluation.report.write import as_json, write_report
        from streamdeblur.evaluation.results import ResultFolder
        from streamdeblur.evaluation.summary import summarise

    check_videos(videos, reference)
    names = video_names(videos)
    evaluator = Evaluator(EvaluatorSettings(options.landmark_detector, options.second_detector, options.embedder))
    pictures = ResultFolder(out) if out else None
    with ProgressLine((reference or videos[0]).name, quiet=quiet) as line:
        faces = find_faces(reference, videos, lambda done, total: line.show(done, total, "frames searched for faces"))
    logger.info("%s.", faces)
    with ProgressLine((reference or videos[0]).name, quiet=quiet) as line:
        found = compare(faces, evaluator, limit, pictures, lambda done, total: line.show(done, total, "frames compared"))
    summary = summarise(found)
    if not quiet and not json:
        typer.echo(terminal_text(summary, terminal_width()))
    page = write_report(out, {"videos": ", ".join(names), "found": str(faces)}, [found], [summary]) if out else None
    if json:
        counts = {"matched_frames": faces.matched, "faces_found": len(faces.detections)}
        print_json({"report": page, **counts, **as_json(summary)})
    elif not quiet and page:
        typer.echo(page)
