"""The report of an evaluation: tables, curves and pictures, as HTML, Markdown and JSON."""

from __future__ import annotations

import os

from streamdeblur.caches import cache_folder

# Matplotlib's list of this machine's fonts stays with streamdeblur's caches, unless the user has a folder for it.
if "MPLCONFIGDIR" not in os.environ and (folder := cache_folder("matplotlib")):
    os.environ["MPLCONFIGDIR"] = str(folder)
