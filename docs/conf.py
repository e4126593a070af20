"""How Sphinx builds the documentation site: `sphinx-build -W --keep-going -b html docs docs/_build`."""

from __future__ import annotations

import re

from pydantic import BaseModel
from sphinx.application import Sphinx

from streamdeblur import __version__

project = "streamdeblur"
author = "the streamdeblur authors"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
highlight_language = "none"

html_theme = "furo"
html_title = f"streamdeblur {version}"
html_show_sphinx = False

# links to headings, as code hosts make them
myst_heading_anchors = 3

# single backticks in docstrings mark code
default_role = "code"
napoleon_numpy_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 88
# what only some machines have
autodoc_mock_imports = ["gi", "pycuda", "pyvirtualcam", "tensorrt", "vapoursynth"]

PAGES = {
    "../README.md": "index.md",
    "../CHANGELOG.md": "changelog.md",
    "../CONTRIBUTING.md": "contributing.md",
    "../streamdeblur/weights/MODEL_CARD.md": "model_card.md",
}
"""Files outside `docs/` that are pages of the site: a link to the file becomes one to the page."""


def link_to_pages(_: Sphinx, name: str, source: list[str]) -> None:
    """Replace links to the files of `PAGES` by links to their pages."""
    source[0] = re.sub(r"\]\((\.\./[^)#]+)", lambda link: f"]({PAGES.get(link[1], link[1])}", source[0])


def describe_settings(_: Sphinx, kind: str, __: str, value: object, ___: object, lines: list[str]) -> None:
    """Add the fields of a set of settings, with their defaults and descriptions, to its docstring."""
    if kind != "class" or not (isinstance(value, type) and issubclass(value, BaseModel)):
        return
    lines.append("")
    for name, field in value.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            lines.append(f":param {name}: `{type(default).__name__}`; its fields may be given without this name.")
        else:
            lines.append(f":param {name}: {field.description or ''} Default: ``{default!r}``.")


PLURAL = re.compile(r"``.*?``|`[^`]+`([a-z]?)")


def separate_plurals(_: Sphinx, __: str, ___: str, ____: object, _____: object, lines: list[str]) -> None:
    """reStructuredText wants a space behind inline code: "`Face`s" becomes "``Face``\\ s"."""
    for number, line in enumerate(lines):
        lines[number] = PLURAL.sub(lambda code: f"{code[0][:-1]}\\ {code[1]}" if code[1] else code[0], line)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", link_to_pages)
    app.connect("autodoc-process-docstring", describe_settings)
    app.connect("autodoc-process-docstring", separate_plurals)
