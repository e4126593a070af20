"""The figures and tables of docs/results.md: evaluate all methods on all data, and write the tables into the page.

python benchmarks/results.py WORK --clips CLIPS --stills STILLS --networks FOLDER --exemplars STILLS            # prints them
python benchmarks/results.py WORK --clips CLIPS ... --page docs/results.md                            # and writes the page

With `--page`, curves and pictures are written beside the page as well. Each kind of data is a folder as `streamdeblur evaluate`
takes it; the tables of data that are not given stay as they are in the page. WORK keeps all results, so that what was stopped
goes on, and new methods are added; after a change of methods or metrics in a checkout, name a new folder. The networks of the
compared methods (nah.onnx, kupyn.onnx, zhu.onnx, chakrabarti.onnx; made by `streamdeblur train compared` and `export`) are read
from FOLDER; what is to be left out is named by `--without`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from page_pictures import remove_others
from picture_rows import Sheet, write_sheet_of
from result_plots import curve_table, identity_table
from result_steps import FIRST_STEP, WHOLE, gains, steps_table
from result_strata import strength_tables
from result_tables import Summary, comparison_tables, one_table, short_name, time_table

from harness import machine
from streamdeblur.evaluation.results import ResultFolder
from streamdeblur.partial_file import write_file

BLIND = ("krishnan", "babacan", "zhang", "xu", "pan-l0", "exemplars", "dark-channel")
LEARNED = ("chakrabarti", "nah", "kupyn", "zhu")
OURS = ("paper-small", "lite", "stream?past=0")
"""Networks of this project; `stream` restores each face alone here."""
ALL = ("blurred", *BLIND, *LEARNED, *OURS, "oracle")
NAMES = tuple(name.partition("?")[0] for name in ALL)
REAL = ALL[:-1]
"""Where no sharp face is known."""
SOME = ("blurred", "xu", *LEARNED, *OURS, "oracle")
"""Where the slow methods would only repeat what the others tell of them."""
DATA = ("clips", "stills", "footage", "landmarks", "portraits", "lfw", "videos")
FOLDERS = (*DATA, "networks", "exemplars")
"""The options that name folders."""
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
    one_core: bool = False
    """Whether it runs on one core, with one thread."""
    verified: bool = False
    """Whether the data must have pairs of people to verify."""

    def command(self, folders: Mapping[str, str], work: str, without: Sequence[str] = ()) -> list[str]:
        """The arguments of `streamdeblur`, but for methods to be left out."""
        methods = ",".join(method_of(name, folders) for name in self.methods if name.partition("?")[0] not in without)
        return ["evaluate", folders[self.data], *self.options, "--methods", methods, "--out", f"{work}/{self.name}"]

    @property
    def shows_pictures(self) -> bool:
        """Whether it makes sheets of pictures, for a page."""
        return isinstance(self.extras, partial) and self.extras.func is pictures

    def missing(self, folders: Mapping[str, str], without: Sequence[str]) -> list[str]:
        """The methods whose files were not given."""
        folder = folders.get("networks")
        given = [name for name in LEARNED if folder is not None and (Path(folder) / f"{name}.onnx").is_file()]
        given += ["exemplars"] if "exemplars" in folders else []
        return [name for name in self.methods if name in (*LEARNED, "exemplars") and name not in (*given, *without)]


EVALUATIONS = (
    Evaluation(
        "clips", "clips",
        ("--protocol", "pravg:7,pravg:9,pravg:11,pravg:15,pravg:21,vla:sequential,synthetic:markov",
         "--limit", "216", "--runs", "0"),
        ALL, comparison_tables, curves_and_strengths,
    ),
    Evaluation(
        "times", "clips", ("--protocol", "pravg:7,vla:sequential,synthetic:markov", "--limit", "6", "--runs", "0"),
        ALL, lambda summaries: [time_table(summaries)], one_core=True,
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
    Evaluation("real", "clips", ("--protocol", "real-blur", "--limit", "0"), REAL, one_table, identities),
    Evaluation("footage", "footage", ("--protocol", "real-blur", "--limit", "0"), REAL, one_table, identities),
    Evaluation("lfw", "lfw", ("--protocol", "synthetic:markov", "--limit", "0"), ALL, one_table, verified=True),
    Evaluation(
        "videos", "videos", ("--protocol", "pravg:7,pravg:11", "--limit", "200", "--runs", "0"), ALL, one_table, verified=True,
    ),
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
    parser.add_argument("--networks", help="folder of the networks of compared methods")
    parser.add_argument("--exemplars", help="pictures of sharp faces of other people")
    parser.add_argument("--without", nargs="+", default=[], choices=NAMES, metavar="METHOD", help="methods to leave out")
    parser.add_argument("--only", nargs="+", choices=[one.name for one in EVALUATIONS], help="names of evaluations")
    parser.add_argument("--workers", default="1", help="processes that run the slow methods and measure")
    parser.add_argument("--limit", help="faces of each protocol at most, to try the script")
    parser.add_argument("--page", type=Path, help="the page to write the tables into")
    arguments = parser.parse_args()
    folders = {one: value for one in FOLDERS if (value := getattr(arguments, one)) is not None}
    planned = [one for one in EVALUATIONS if one.name in (arguments.only or [one.name]) and one.data in folders]
    for problem in problems(arguments, planned, folders):
        parser.error(problem)
    for one in planned:
        more = ["--limit", arguments.limit] if arguments.limit else []
        more += ["--workers", "1" if one.one_core else arguments.workers]
        text = evaluated(one, folders, arguments, more)
        print(text, flush=True)
        if arguments.page:
            write_file(arguments.page, replaced(arguments.page.read_text(), one.name, text))
            remove_others(arguments.page, one.name, text)


def problems(arguments: argparse.Namespace, planned: Sequence[Evaluation], folders: Mapping[str, str]) -> Iterator[str]:
    """What would make the evaluations fail or be incomplete: told before the hours that they take."""
    for name in arguments.only or []:
        if name not in [one.name for one in planned]:
            yield f"'{name}' needs --{next(one.data for one in EVALUATIONS if one.name == name)}."
    if not planned:
        yield f"Give the data of an evaluation: {', '.join(f'--{one}' for one in DATA)}."
    if arguments.limit and arguments.page:
        yield "Tables of few faces are for a try: leave out --page or --limit."
    if arguments.page and "lite" in arguments.without and any(one.shows_pictures for one in planned):
        yield "The pictures of a page are chosen by the gain of 'lite': leave out --page or --without lite."
    for name in dict.fromkeys(name for one in planned for name in one.missing(folders, arguments.without)):
        needed = f"{name}.onnx in the folder of --networks" if name in LEARNED else f"--{name}"
        yield f"'{name}' needs {needed}, or --without {name}."
    if arguments.page:
        for one in planned:
            replaced(arguments.page.read_text(), one.name, "")


def evaluated(one: Evaluation, folders: Mapping[str, str], arguments: argparse.Namespace, more: Sequence[str]) -> str:
    """Run one evaluation; returns its tables, and the command that repeats them; for a page its curves and pictures as well.

    Raises:
        SystemExit: There is nothing to verify where that was the purpose.
    """
    command = [sys.executable, "-m", "streamdeblur", *one.command(folders, str(arguments.work), arguments.without), *more]
    subprocess.run(["taskset", "--cpu-list", "0", *command] if one.one_core else command, check=True)
    folder = arguments.work / one.name
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    summaries = [renamed(summary) for summary in report["protocols"]]
    if one.verified and not arguments.limit and not any(row["verification"] for summary in summaries for row in summary["rows"]):
        raise SystemExit(f"{folders[one.data]} has no pairs of people to verify (docs/evaluation.md, Verification).")
    tables = one.tables(summaries)
    if one.extras:
        protocols = [summary["protocol"] for summary in summaries]
        tables += one.extras(Finished(one.name, ResultFolder(folder), protocols, arguments.page))
    if one.one_core:
        tables.append(f"On one core of {machine()}.")
    shown = {name: name.upper() for name in FOLDERS}
    text = shlex.join(["streamdeblur", *one.command(shown, "WORK", arguments.without)])
    return "\n\n".join([*tables, *left_out(summaries), f"```sh\n{'taskset -c 0 ' if one.one_core else ''}{text}\n```"])


def left_out(summaries: Sequence[Summary]) -> list[str]:
    """A sentence for each method that failed under a protocol."""
    return [
        f"`{short_name(method)}` is not in `{summary['protocol']}`: {reason}"
        for summary in summaries for method, reason in summary["failed"].items()
    ]  # fmt: skip


def method_of(name: str, folders: Mapping[str, str]) -> str:
    """The name by which `evaluate` opens a method."""
    if name == "exemplars":
        return f"exemplars:{folders['exemplars']}"
    if name in LEARNED:
        return f"onnx:{Path(folders['networks']) / f'{name}.onnx'}"
    return f"onnx:{name}" if name in OURS else name


def renamed(summary: Summary) -> Summary:
    """A protocol's part of a report with short names of methods."""
    lists = {key: [{**row, "method": short_name(row["method"])} for row in summary[key]] for key in ("rows", "steadiness")}
    return {**summary, **lists}


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
