"""The restorer of live streams."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamdeblur.live.options import LiveOptions
from streamdeblur.live.restorer import Restorer
from streamdeblur.options import RestorationOptions
from streamdeblur.speeds import known_choice
from streamdeblur.weights import AUTO
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


@pytest.mark.parametrize("named", [None, "lite"])
def test_without_a_name_a_live_stream_takes_the_network_that_is_fast_enough(named):
    options = LiveOptions.load(None, network=named)
    assert options.restoration.in_real_time().network == Path(named or AUTO)
    restorer = Restorer(options.restoration)
    assert restorer._deblurrer.network.preset == (named or known_choice(real_time=True))
    restorer.close()
