"""streamdeblur compare: how near videos are to a sharp one, by their faces."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from streamdeblur.cli.commands.evaluate import Embedder, Localiser, Second
from streamdeblur.cli.commands.video import Json, Quiet
from streamdeblur.cli.report import exits, needs_extra, print_json, tell
from streamdeblur.cli.steps import StepLine

Videos = Annotated[list[Path], typer.Argument(help="Videos of one scene: the first is what the others are tested against.")]
Reference = Annotated[Path, typer.Option(help="The sharp video of the same scene; frames are matched by their time.")]
Limit = Annotated[int, typer.Option(min=0, help="Faces at most, spread evenly over the video; 0 takes all.")]
Out = Annotated[Path | None, typer.Option(help="Folder for a report (HTML, Markdown, JSON) and the pictures of the faces.")]


def command(
    videos: Videos,
    reference: Reference,
    limit: Limit = 100,
    localiser: Localiser = "dlib",
    second: Second = "auto",
    embedder: Embedder = "dlib",
    out: Out = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    with exits(quiet=quiet, json=json):
        with needs_extra("eval", "Comparing"):
            from streamdeblur.evaluation.comparing.compare import compare, video_names
            from streamdeblur.evaluation.comparing.faces import find_faces
            from streamdeblur.evaluation.evaluator import Examiner, Instruments
            from streamdeblur.evaluation.report.markdown import summary_text
            from streamdeblur.evaluation.report.write import as_json, write_report
            from streamdeblur.evaluation.results import Results
            from streamdeblur.evaluation.summary import summarise

            if out:
                # (the report's curves need it, and come last)
                import_module("matplotlib")
        names = video_names(videos)
        examiner = Examiner(Instruments(localiser, second, embedder))
        pictures = Results(out) if out else None
        with StepLine(reference.name, quiet=quiet) as line:
            faces = find_faces(reference, videos, lambda done, total: line.show(done, total, "frames, faces are found"))
        tell(f"{faces}.", quiet=quiet)
        with StepLine(reference.name, quiet=quiet) as line:
            found = compare(
                faces, examiner, limit or None, pictures, lambda done, total: line.show(done, total, "frames, compared")
            )
        summary = summarise(found)
        if not quiet and not json:
            typer.echo(summary_text(summary))
        page = write_report(out, {"videos": ", ".join(names), "found": str(faces)}, [found], [summary]) if out else None
        if json:
            print_json({"report": page, "matched_frames": faces.matched, "faces_found": len(faces.sightings), **as_json(summary)})
        elif not quiet and page:
            typer.echo(f"{page}")
