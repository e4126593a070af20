"""The calls of the CUDA driver for graphs, on the streams of the fake pycuda; what a graph must not see changed is checked."""

from __future__ import annotations

from itertools import count

from support.fakes.machine import machine_for


class Driver:
    """As the driver's library through ctypes: each call returns a code, 0 where all is well."""

    def __init__(self):
        self._numbers = count(1)
        self._captured, self._executable = {}, {}

    def cuStreamBeginCapture_v2(self, stream, mode):  # noqa: N802 (names of the driver)
        machine = machine_for("cuStreamBeginCapture_v2")
        if machine.refuse_capture:
            return machine.refuse_capture
        machine.capturing = (machine.streams[stream.value], len(machine.streams[stream.value].work), [])
        return 0

    def cuStreamEndCapture(self, stream, graph):  # noqa: N802
        machine = machine_for("cuStreamEndCapture")
        (into, begin, contexts), machine.capturing = machine.capturing, None
        work, into.work[begin:] = into.work[begin:], []
        graph._obj.value = next(self._numbers)
        self._captured[graph._obj.value] = work, contexts
        return 0

    def cuGraphInstantiateWithFlags(self, executable, graph, flags):  # noqa: N802
        executable._obj.value = next(self._numbers)
        self._executable[executable._obj.value] = self._captured[graph.value]
        return 0

    def cuGraphLaunch(self, executable, stream):  # noqa: N802
        machine = machine_for("cuGraphLaunch")
        work, contexts = self._executable[executable.value]
        for context, changes in contexts:
            if context().changes != changes:
                machine.breach("a graph is launched after its execution context was changed")
        machine.events.append("launch a graph")
        machine.streams[stream.value].work.extend(work)
        return 0

    def cuGraphDestroy(self, graph):  # noqa: N802
        del self._captured[graph.value]
        return 0

    def cuGraphExecDestroy(self, executable):  # noqa: N802
        machine_for("cuGraphExecDestroy").events.append("destroy a graph")
        del self._executable[executable.value]
        return 0
