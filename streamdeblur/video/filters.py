"""Filter graphs of FFmpeg."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av


def filter_graph() -> av.filter.Graph:
    """Return an empty filter graph without threads of its own.

    A forked process does not have the threads of its parent, and would wait for them for ever when it frees the graph.
    """
    import av

    graph = av.filter.Graph()
    graph.threads = 1
    return graph
