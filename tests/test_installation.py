"""What users are told to install works while nothing is published: the commands name a clone."""

from __future__ import annotations

import json
import re
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest

from streamdeblur import installation
from streamdeblur.installation import install_command

ROOT = Path(__file__).parents[1]


def installed_from(monkeypatch, recorded):
    """Let the installation say where it is from, in the file `direct_url.json` of PEP 610."""
    real = distribution("streamdeblur")

    class Recorded(Distribution):
        def read_text(self, filename):
            return recorded if filename == "direct_url.json" else real.read_text(filename)

        def locate_file(self, path):
            return real.locate_file(path)

    monkeypatch.setattr(installation, "distribution", lambda name: Recorded())


@pytest.mark.parametrize(("editable", "option"), [(False, ""), (True, "-e ")])
def test_the_command_names_the_clone_that_was_installed(monkeypatch, tmp_path, editable, option):
    clone = tmp_path / "my clone"
    clone.mkdir()
    (clone / "pyproject.toml").write_text("")
    installed_from(monkeypatch, json.dumps({"url": clone.as_uri(), "dir_info": {"editable": editable}}))
    assert install_command("live") == f'pip install {option}"{clone}[live]"'


@pytest.mark.parametrize("recorded", [None, "", "{}", "no JSON", '{"url": "file:///gone", "dir_info": {}}'])
def test_without_a_clone_the_command_asks_for_one(monkeypatch, recorded):
    installed_from(monkeypatch, recorded)
    assert install_command("live") == 'pip install ".[live]" (in a clone of streamdeblur)'


def test_no_text_installs_from_an_index_what_is_not_there():
    texts = [
        path for folder in ("docs", "examples", "streamdeblur", "training", "kernels") for path in (ROOT / folder).rglob("*")
    ]
    wrong = re.compile(r"pip install[^\n`&]*\bstreamdeblur\b(?!/)|streamdeblur\[\w")
    for path in [*texts, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        if path.suffix in (".md", ".py", ".html", ".js") and "_build" not in path.parts:
            found = [line for line in path.read_text(encoding="utf-8").splitlines() if wrong.search(line.split("#")[0])]
            assert found == [], path
