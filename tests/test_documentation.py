"""The pages: their links, the commands that they show, and the names that the API reference lists."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import pytest
from PIL import Image
from typer.core import TyperCommand, TyperGroup

import streamdeblur
from streamdeblur import weights
from streamdeblur.cli.app import build_app
from support.media.videos import write_video
from support.models.networks import write_shipped

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").glob("*.md"),
        *(ROOT / "streamdeblur").rglob("*.md"),
    ]
)
PAGES = [page for page in PAGES if "_build" not in page.parts]
OTHER_PROGRAMS = {
    "--real": "benchmarks/transcode.py",
    "--extent": "benchmarks/handheld.py",
    "--only": "benchmarks/gpu_check.py",
    "--faces": "benchmarks/handheld.py",
}
"""Options named on their own that are not of streamdeblur."""


def ids(page: Path) -> str:
    return str(page.relative_to(ROOT))


def without_code(text: str) -> str:
    text = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`]*`", "code", text)


def anchors(page: Path) -> set[str]:
    """The anchors that code hosts make of the headings of a page."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_relative_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{ids(page)} links to {link}"
        assert not anchor or anchor in anchors(target), f"{ids(page)} links to {link}"


def shown_commands(page: Path) -> list[list[str]]:
    """The words of each `streamdeblur ...` in a page, in blocks of shell code and inline."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    spans = re.findall(r"`(streamdeblur [^`]+)`", text)
    commands = []
    for line in [*lines, *spans]:
        for part in re.split(r"&&|\|(?![a-z])", line):
            words = shlex.split(part, comments=True)
            if "streamdeblur" in words[:-1]:
                commands.append(words[words.index("streamdeblur") + 1 :])
    return commands


@cache
def application() -> TyperGroup:
    return build_app()


@cache
def options_of(command: TyperCommand) -> set[str]:
    # commands are imported when their context is made
    parameters = command.make_context(command.name, [], resilient_parsing=True).command.params
    return {name for parameter in parameters for name in [*parameter.opts, *parameter.secondary_opts]} | {"--help"}


def every_option(command: TyperCommand | TyperGroup) -> set[str]:
    """The options of a command, or of all commands in a group."""
    if isinstance(command, TyperGroup):
        own = {name for parameter in command.params for name in parameter.opts}
        return own.union(*map(every_option, command.commands.values()))
    return options_of(command)


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_and_options_that_are_shown_exist(page):
    for words in shown_commands(page):
        if words[0].startswith("-"):
            continue
        # alternatives, as in "dataset build|stats"
        for name in words[0].split("|"):
            assert name in application().commands, f"{ids(page)} shows streamdeblur {' '.join(words)}"
            command = application().commands[name]
            if isinstance(command, TyperGroup) and len(words) > 1 and not words[1].startswith("-"):
                for second in words[1].split("|"):
                    assert second in command.commands, f"{ids(page)} shows streamdeblur {' '.join(words)}"
                # "config show" takes the options of another command
                shown = words[1:3] if words[:2] == ["config", "show"] else []
                command = application().commands[shown[1]] if len(shown) > 1 else command.commands[words[1].split("|")[0]]
            options = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
            unknown = options - every_option(command)
            assert not unknown, f"{ids(page)} shows streamdeblur {' '.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_options_that_are_named_alone_exist(page):
    known = every_option(application()) | set(OTHER_PROGRAMS)
    named = {span.split()[0] for span in re.findall(r"`(--[a-z][^`]*)`", page.read_text(encoding="utf-8"))}
    assert not named - known


def test_the_api_reference_lists_every_public_name():
    listed = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "api").glob("*.md"))
    missing = [name for name in streamdeblur.__all__ if not re.search(rf":: streamdeblur\.{name}$", listed, flags=re.MULTILINE)]
    assert [name for name in missing if not name.endswith("Error")] == []


def python_examples(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def test_the_architecture_page_names_files_that_exist():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\w+/[\w/]+\.py|\w+/(?:\w+/)*)`", text)
    folders = (ROOT, ROOT / "streamdeblur", ROOT / "training")
    assert len(named) > 30
    assert [name for name in named if not any((folder / name).exists() for folder in folders)] == []


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_python_examples_compile(page):
    for example in python_examples(page):
        compile(example, str(page), "exec")


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_python_examples_run(page, tmp_path, monkeypatch, face_picture, few_pictures):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    networks = write_shipped(tmp_path / "weights")
    monkeypatch.setattr(weights, "files", lambda _: networks)
    Image.fromarray(face_picture).save("portrait.jpg")
    for name in ("in.mp4", "talk.mp4"):
        write_video(tmp_path / name, few_pictures[:4])
    for example in python_examples(ROOT / page):
        exec(compile(example, page, "exec"), {"frames": few_pictures[:2]})


def test_contributing_names_each_file_with_slow_tests():
    section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("### Slow tests")[1].split("\n## ")[0]
    listed = set(re.findall(r"^\| `(tests/[\w/]+\.py)`", section, flags=re.MULTILINE))
    marked = {ids(file) for file in (ROOT / "tests").rglob("*.py") if "mark." + "slow" in file.read_text(encoding="utf-8")}
    assert listed == marked
