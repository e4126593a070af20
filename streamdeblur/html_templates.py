"""The templates of the reports that are HTML pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template


def html_template(package: str, name: str, **filters: Callable[..., Any]) -> Template:
    """Load a template, which escapes what it is given.

    Args:
        package: The package in whose folder `templates` it is.
        name: Its file.
        filters: Functions that it applies to values, by the names that it has for them.
    """
    from jinja2 import Environment, PackageLoader

    environment = Environment(loader=PackageLoader(package), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= filters
    return environment.get_template(name)
