"""The packages that streamdeblur installs, and what in them may talk to somebody.

`python tests/support/inventory.py > tests/tested_versions.txt` writes the lock of tested versions, in the format of pip's
constraints, from what is installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = ("live", "eval", "train", "report")
MARKERS = (
    "telemetry", "analytics", "do_not_track", "donottrack", "posthog", "sentry_sdk", "sentry.io", "mixpanel",
    "applicationinsights",
    "events.data.microsoft.com", "phone_home", "phonehome", "check_for_update", "checkforupdate", "stun.l.google",
)  # fmt: skip
"""What names a switch, a service, or a host of telemetry and of checks for updates, in small letters."""
NATIVE = (".so", ".dll", ".dylib", ".pyd")


def installed_packages() -> dict[str, Distribution]:
    """Find all packages of streamdeblur and its extras, with what they require in turn, by their normalised names."""
    found: dict[str, Distribution] = {}
    waiting = [("streamdeblur", extra) for extra in ("", *EXTRAS)]
    seen = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            # of another platform, or of an extra that is not installed
            continue
        waiting += _required(found[name], extra)
    del found["streamdeblur"]
    return found


def _required(package: Distribution, extra: str) -> Iterator[tuple[str, str]]:
    for requirement in map(Requirement, package.requires or ()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield from ((canonicalize_name(requirement.name), one) for one in ("", *requirement.extras))


def markers_of(package: Distribution, *, native: bool) -> set[str]:
    """Find which of `MARKERS` occur in the Python files of a package, or in its compiled libraries."""
    found: set[str] = set()
    for file in package.files or ():
        if ".so." in file.name or file.suffix in NATIVE if native else file.suffix == ".py":
            path = Path(str(file.locate()))
            found |= markers_in(path.read_bytes(), native=native) if path.is_file() else set()
    return found


def markers_in(content: bytes, *, native: bool) -> set[str]:
    """Find the markers in Python code, in any spelling, or in compiled code, in the usual ones, which is quicker to search."""
    if not native:
        content = content.lower()
        return {marker for marker in MARKERS if marker.encode() in content}
    return {marker for marker in MARKERS if any(one.encode() in content for one in {marker, marker.capitalize(), marker.upper()})}


if __name__ == "__main__":
    for name, package in sorted(installed_packages().items()):
        # without the local part, such as +cpu, which the index does not have
        print(f"{name}=={package.version.partition('+')[0]}")
