"""How Sphinx builds the documentation site: `sphinx-build -W --keep-going -b html docs docs/_build`."""

from __future__ import annotations

import re
from typing import TypeGuard

from pydantic import BaseModel
from sphinx.application import Sphinx

from streamdeblur import __version__
from streamdeblur.settings import ComposedSettings
from streamdeblur.training.blur.scheme import BlurScheme

project = "streamdeblur"
author = "the streamdeblur authors"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
highlight_language = "none"

html_theme = "furo"
html_title = f"streamdeblur {version}"
html_show_sphinx = html_show_copyright = False

# links to headings, as code hosts make them
myst_heading_anchors = 3

# single backticks in docstrings mark code
default_role = "code"
napoleon_numpy_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {name: name for name in ("Crops", "Detections", "Frame", "Image")}
python_maximum_signature_line_length = 88
# what only some machines have
autodoc_mock_imports = ["gi", "pycuda", "pyvirtualcam", "tensorrt", "vapoursynth"]

PAGES = {
    "../README.md": "index.md",
    "../CHANGELOG.md": "changelog.md",
    "../CONTRIBUTING.md": "contributing.md",
    "../examples/README.md": "examples.md",
    "../streamdeblur/weights/MODEL_CARD.md": "model_card.md",
}
"""Files outside `docs/` that are pages of the site: a link to the file becomes one to the page."""


def link_to_pages(_: Sphinx, name: str, source: list[str]) -> None:
    """Replace links to the files of `PAGES` by links to their pages."""
    source[0] = re.sub(r"\]\((\.\./[^)#]+)", lambda link: f"]({PAGES.get(link[1], link[1])}", source[0])


ARRAY = re.compile(r"(?:~?numpy\.)?ndarray\[tuple\[~?(?:typing\.)?Any, \.\.\.\], ~?(?:numpy\.)?dtype\[~?(?:numpy\.)?(\w+)\]\]")


def is_settings(value: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(value, type) and issubclass(value, BaseModel)


def simplify_signature(
    _: Sphinx, __: str, ___: str, value: object, ____: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Shorten the types of arrays; leave out the signatures of settings (see `describe_settings`) and of protocols."""
    if is_settings(value) or getattr(value, "_is_protocol", False):
        return "", ""
    return signature and ARRAY.sub(r"NDArray[\1]", signature), returns and ARRAY.sub(r"NDArray[\1]", returns)


def describe_settings(_: Sphinx, __: str, ___: str, value: object, ____: object, lines: list[str]) -> None:
    """Add the fields of a set of settings, with their defaults and descriptions, to its docstring."""
    if not is_settings(value):
        return
    lines.append("")
    for name, field in value.model_fields.items():
        default = field.get_default(call_default_factory=True)
        description = re.sub(r"--[a-z][a-z-]*", r"``\g<0>``", field.description or "")
        if isinstance(default, BaseModel):
            flat = "; `load` and `changed` take its fields without this name" if issubclass(value, ComposedSettings) else ""
            lines.append(f":param {name}: {description} `{type(default).__name__}`{flat}.")
        else:
            shown = "" if default is None else f" Default: ``{default if isinstance(default, BlurScheme) else repr(default)}``."
            lines.append(f":param {name}: {description}{shown}")


def keep_colons(_: Sphinx, kind: str, __: str, ___: object, ____: object, lines: list[str]) -> None:
    """Put an empty comment above an attribute's docstring: Napoleon takes text before a colon in the first line for a type."""
    if kind in ("attribute", "property"):
        lines[:0] = ["..", ""]


PLURAL = re.compile(r"``.*?``|`[^`]+`([a-z]?)")


def separate_plurals(_: Sphinx, __: str, ___: str, ____: object, _____: object, lines: list[str]) -> None:
    """reStructuredText wants a space behind inline code: "`Face`s" becomes "``Face``\\ s"."""
    for number, line in enumerate(lines):
        lines[number] = PLURAL.sub(lambda code: f"{code[0][:-1]}\\ {code[1]}" if code[1] else code[0], line)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", link_to_pages)
    app.connect("autodoc-process-signature", simplify_signature)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)
    app.connect("autodoc-process-docstring", describe_settings)
    app.connect("autodoc-process-docstring", separate_plurals)
