"""The figures and tables of docs/results.md: evaluate all methods on all data, and write the tables into the page.

python benchmarks/results.py WORK --clips CLIPS --stills STILLS --networks FOLDER --exemplars STILLS            # prints them
python benchmarks/results.py WORK --clips CLIPS --page docs/results.md                                # and writes the page

With `--page`, curves and pictures are written beside the page as well. Each kind of data is a folder as `streamdeblur evaluate`
takes it; the tables of data that are not given stay as they are in the page. WORK keeps all results, so that what was stopped
goes on, and new methods are added. The networks of the compared methods (nah.onnx, kupyn.onnx, zhu.onnx, chakrabarti.onnx; made
by `streamdeblur train compared` and `export`) are read from FOLDER.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from picture_rows import Sheet, write_sheet_of
from result_plots import curve_table, identity_table
from result_steps import FIRST_STEP, WHOLE, gains, steps_table
from result_strata import strength_tables
from result_tables import Summary, comparison_tables, one_table, short_name

from streamdeblur.evaluation.results import ResultFolder

BLIND = ("krishnan", "babacan", "zhang", "xu", "pan-l0", "exemplars", "dark-channel")
LEARNED = ("chakrabarti", "nah", "kupyn", "zhu")
OURS = ("paper-small", "lite", "stream?past=0")
"""Networks of this project; `stream` restores each face alone here."""
ALL = ("blurred", *BLIND, *LEARNED, *OURS, "oracle")
SOME = ("blurred", "xu", *LEARNED, *OURS, "oracle")
"""Where the slow methods would only repeat what the others tell of them."""
STRATIFIED = ("pravg:21", "vla:sequential", "synthetic:markov")
"""Protocols of which the most and the least blurred faces are shown."""


@dataclass(frozen=True)
class Finished:
    """An evaluation that has been made, for what its report does not have."""

    name: str
    results: ResultFolder
    protocols: Sequence[str]
    page: Path | None
    """The page beside which pictures are written; None where tables are only printed."""


def curves(found: Finished) -> list[str]:
    """Curves of the first methods of each protocol."""
    return [curve_table(found.results, found.name, found.protocols, found.page)] if found.page else []


def curves_and_strengths(found: Finished) -> list[str]:
    """What is gained on the faces that are blurred most and least, and curves."""
    return [*strength_tables(found.results, STRATIFIED), *curves(found)]


def identities(found: Finished) -> list[str]:
    """The distributions of the cosines of all methods."""
    return [identity_table(found.results, found.name, found.protocols[0], found.page)] if found.page else []


def pictures(found: Finished, sheets: Sequence[Sheet]) -> list[str]:
    """Pictures of some faces as all methods restore them."""
    return [write_sheet_of(sheet, found.results, found.protocols[0], found.page) for sheet in sheets] if found.page else []


def steps(found: Finished) -> list[str]:
    """What the network of the paper gains on faces of which its first step gains more or less."""
    return [steps_table(*gains(found.results, found.protocols[0]))]


def no_tables(_: list[Summary]) -> list[str]:
    """None of the report's."""
    return []


@dataclass(frozen=True)
class Evaluation:
    """One call of `streamdeblur evaluate`, and the tables that it makes."""

    name: str
    data: str
    """The option that names the data."""
    options: tuple[str, ...]
    methods: tuple[str, ...]
    tables: Callable[[list[Summary]], list[str]]
    extras: Callable[[Finished], list[str]] | None = None
    """Makes what the report does not have."""

    def command(self, folders: Mapping[str, str], work: Path) -> list[str]:
        """The arguments of `streamdeblur`, with the methods that can be opened."""
        methods = [method for name in self.methods if (method := method_of(name, folders))]
        return ["evaluate", folders[self.data], *self.options, "--methods", ",".join(methods), "--out", str(work / self.name)]


EVALUATIONS = (
    Evaluation(
        "clips", "clips",
        ("--protocol", "pravg:7,pravg:9,pravg:11,pravg:15,pravg:21,vla:sequential,synthetic:markov",
         "--limit", "216", "--runs", "0"),
        ALL, comparison_tables, curves_and_strengths,
    ),
    Evaluation("camera", "clips", ("--protocol", "vla+camera:sequential", "--limit", "216", "--runs", "0"), SOME, one_table),
    Evaluation("annotated", "landmarks", ("--protocol", "synthetic:markov", "--limit", "0"), ALL, one_table, curves),
    Evaluation(
        "portraits", "portraits", ("--protocol", "synthetic:markov", "--limit", "9", "--runs", "0"), ALL, no_tables,
        partial(pictures, sheets=(
            Sheet("methods", "Three blurry portraits, what each method makes of them, and the sharp ones", columns=8, side=144),
            Sheet("landmarks", "The same with the landmarks that are found in them", columns=8, side=200, landmarks=True),
        )),
    ),
    Evaluation(
        "steps", "landmarks", ("--protocol", "synthetic:markov", "--limit", "0", "--runs", "0"),
        ("blurred", FIRST_STEP, WHOLE), no_tables, steps,
    ),
    Evaluation(
        "failures", "portraits", ("--protocol", "synthetic:markov", "--limit", "9", "--runs", "0"),
        ("blurred", FIRST_STEP, WHOLE, "oracle"), no_tables,
        partial(pictures, sheets=(
            Sheet("failures", "Three blurry portraits, the first step, both steps, and the sharp ones", 4, 240, by=WHOLE),
        )),
    ),
    Evaluation("light", "stills", ("--protocol", "synthetic", "--response", "srgb", "--limit", "200"), SOME, one_table),
    Evaluation("sharp", "stills", ("--protocol", "sharp", "--limit", "200"), SOME, one_table),
    Evaluation("steadiness", "clips", ("--protocol", "pravg:11", "--limit", "18", "--runs", "8"), ALL, one_table),
    Evaluation("real", "clips", ("--protocol", "real-blur", "--limit", "0"), ALL, one_table, identities),
    Evaluation("footage", "footage", ("--protocol", "real-blur", "--limit", "0"), ALL, one_table, identities),
    Evaluation("lfw", "lfw", ("--protocol", "synthetic:markov", "--limit", "0"), ALL, one_table),
    Evaluation("videos", "videos", ("--protocol", "pravg:7,pravg:11", "--limit", "200", "--runs", "0"), ALL, one_table),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder of all results")
    parser.add_argument("--clips", help="clips of people that no network was trained on")
    parser.add_argument("--stills", help="pictures of such people")
    parser.add_argument("--footage", help="clips of any people, of which the frames that were filmed blurred are taken")
    parser.add_argument("--landmarks", help="pictures with 68 points annotated by hand")
    parser.add_argument("--portraits", help="pictures of people who may be shown")
    parser.add_argument("--lfw", help="Labeled Faces in the Wild")
    parser.add_argument("--videos", help="clips of which several show the same person")
    parser.add_argument("--networks", help="folder of the networks of compared methods; those that it lacks are left out")
    parser.add_argument("--exemplars", help="pictures of sharp faces of other people; without it that method is left out")
    parser.add_argument("--only", nargs="+", choices=[one.name for one in EVALUATIONS], help="names of evaluations")
    parser.add_argument("--workers", default="1", help="processes that run the slow methods and measure")
    parser.add_argument("--limit", help="faces of each protocol at most, to try the script")
    parser.add_argument("--page", type=Path, help="the page to write the tables into")
    arguments = parser.parse_args()
    folders = {name: value for name, value in vars(arguments).items() if isinstance(value, str)}
    for one in EVALUATIONS:
        if one.data not in folders or (arguments.only and one.name not in arguments.only):
            continue
        more = ["--workers", arguments.workers, *(["--limit", arguments.limit] if arguments.limit else [])]
        text = evaluated(one, folders, arguments.work, more, arguments.page)
        print(text, flush=True)
        if arguments.page:
            arguments.page.write_text(replaced(arguments.page.read_text(), one.name, text))


def evaluated(one: Evaluation, folders: Mapping[str, str], work: Path, more: Sequence[str], page: Path | None = None) -> str:
    """Run one evaluation; returns its tables, and the command that repeats them; for a page its curves and pictures as well."""
    command = one.command(folders, work)
    subprocess.run([sys.executable, "-m", "streamdeblur", *command, *more], check=True)
    report: dict[str, Any] = json.loads((work / one.name / "report.json").read_text())
    tables = one.tables([renamed(summary) for summary in report["protocols"]])
    if one.extras:
        protocols = [summary["protocol"] for summary in report["protocols"]]
        tables += one.extras(Finished(one.name, ResultFolder(work / one.name), protocols, page))
    return "\n\n".join([*tables, f"```sh\nstreamdeblur {shown_command(command, folders, work)}\n```"])


def method_of(name: str, folders: Mapping[str, str]) -> str | None:
    """The name by which `evaluate` opens a method; None where its file or folder was not given."""
    if name == "exemplars":
        return f"exemplars:{folders['exemplars']}" if "exemplars" in folders else None
    file = Path(folders.get("networks", "")) / f"{name}.onnx"
    if name in (*LEARNED, *OURS) and "networks" in folders and file.is_file():
        return f"onnx:{file}"
    if name in OURS:
        return f"onnx:{name}"
    return None if name in LEARNED else name


def renamed(summary: Summary) -> Summary:
    """A protocol's part of a report with short names of methods."""
    lists = {key: [{**row, "method": short_name(row["method"])} for row in summary[key]] for key in ("rows", "steadiness")}
    return {**summary, **lists}


def shown_command(command: Sequence[str], folders: Mapping[str, str], work: Path) -> str:
    """The command for a shell, with the names of the options in place of folders: CLIPS, NETWORKS, WORK ..."""
    text = shlex.join(command)
    for name, folder in sorted({**folders, "work": str(work)}.items(), key=lambda both: -len(both[1])):
        text = text.replace(folder, name.upper()) if "/" in folder else text
    return text


def replaced(page: str, name: str, text: str) -> str:
    """The page with new tables between the two comments that name them.

    Raises:
        SystemExit: The page has no such comments.
    """
    begin, end = f"<!-- tables: {name} -->", f"<!-- end of {name} -->"
    if begin not in page or end not in page:
        raise SystemExit(f"The page has no place for these tables: {begin} and {end}.")
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}"


if __name__ == "__main__":
    main()
