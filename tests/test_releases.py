"""What releases the package: the workflow, the links of the README on an index, and what images are built from."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from streamdeblur.cli.app import build_app

ROOT = Path(__file__).parents[1]
FOLDERS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-dir"]
JOBS = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8"))["jobs"]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", "")


@pytest.mark.skipif(not shutil.which("bash"), reason="the workflow runs its steps in bash")
def test_on_an_index_no_link_of_the_readme_is_relative(tmp_path):
    (script,) = (step["run"] for step in JOBS["build"]["steps"] if step.get("env", {}).get("REPOSITORY"))
    shutil.copy(ROOT / "README.md", tmp_path)
    variables = {"REPOSITORY": "https://example.org/streamdeblur", "GITHUB_REF_NAME": "v1.2.3"}
    subprocess.run(["bash", "-c", script], cwd=tmp_path, env={**os.environ, **variables}, check=True)
    links = re.findall(r"(!?)\[[^]]*\]\(([^)]+)\)", (tmp_path / "README.md").read_text("utf-8"))
    assert [link for _, link in links if not link.startswith(("https://", "#"))] == []
    assert ("!", "https://example.org/streamdeblur/raw/v1.2.3/docs/before_after.jpg") in links
    assert ("", "https://example.org/streamdeblur/blob/v1.2.3/docs/video.md") in links


def test_nothing_is_published_before_everything_has_passed():
    assert set(JOBS["publish"]["needs"]) == set(JOBS) - {"publish"}
    assert "tag" in JOBS["publish"]["if"]
    assert [name for name, job in JOBS.items() if "id-token" in job.get("permissions", {})] == ["publish"]


def test_an_image_is_built_from_all_that_the_package_is_built_from():
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    assert allowed == {*FOLDERS.values(), "LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.py"}


def test_images_run_commands_with_options_that_exist():
    commands = [json.loads(words) for words in re.findall(r"^CMD (\[.*\])$", DOCKERFILE, flags=re.MULTILINE)]
    assert ["serve", "--host", "0.0.0.0"] in commands
    for name, *options in (command for command in commands if not command[0].startswith("-")):
        known = {option for parameter in build_app().commands[name].load().params for option in parameter.opts}
        assert {option for option in options if option.startswith("--")} <= known


def test_images_run_as_a_user_without_rights():
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, flags=re.MULTILINE)
    assert users == ["1000"]
    targets = re.findall(r"^FROM system AS (\w+)$", DOCKERFILE, flags=re.MULTILINE)
    assert sorted(targets) == sorted(image["target"] for image in JOBS["images"]["strategy"]["matrix"]["include"])
