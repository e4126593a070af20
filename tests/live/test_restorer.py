"""The restorer of live streams."""

from __future__ import annotations

import numpy as np

from streamdeblur.live.restorer import Restorer
from streamdeblur.options import RestorationOptions
from support.media.frames import plane_bytes
from support.media.videos import VideoSpec, rgb_to_frame
from support.memory_streams import recorded
from support.models.networks import write_network


def test_live_frames_wait_for_no_later_ones_and_nothing_is_remembered_over_a_pause(tmp_path, few_pictures):
    network = write_network(tmp_path / "slots.onnx", "slots")
    restorer = Restorer(RestorationOptions(network=network, always=True, engine="onnxruntime"))
    frames = [rgb_to_frame(picture, VideoSpec()) for picture in few_pictures]
    with recorded(restorer._deblurrer) as submitted:
        for number, frame in enumerate(frames[:8]):
            restorer.paused = 3 <= number < 5
            before = plane_bytes(frame)
            restorer.edit(frame, None)
            changed = not all(map(np.array_equal, before, plane_bytes(frame)))
            # a face without neighbours comes back as it is
            assert changed == (number in (1, 2, 6, 7))
    assert [len(near) for faces in submitted for near in faces.neighbours] == [0, 1, 2, 0, 1, 2]
    restorer.close()
