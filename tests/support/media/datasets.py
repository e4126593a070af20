"""Folders of videos and pictures to make data sets of: shots of the group photograph, whose camera moves by whole pixels."""

from __future__ import annotations

import numpy as np

from support.media.videos import VideoSpec, write_video

PLACES = {"anna": (519, 340), "bert": (796, 412), "cleo": (958, 150), "dora": (1110, 330)}
"""Centres of faces of 130 to 143 px in the photograph."""
WIDTH, HEIGHT = 320, 288
THIRTY = VideoSpec(options={"crf": "10", "preset": "ultrafast"})


def shot(photograph, name, frames=14, step=(3, 1)):
    """Frames, uint8 RGB [288, 320, 3]: the camera moves by `step` pixels per frame, half-way the face is in the middle."""
    x, y = (centre - size // 2 for centre, size in zip(PLACES[name], (WIDTH, HEIGHT), strict=True))
    begin = -(frames // 2)
    corners = [(x + step[0] * (begin + n), y + step[1] * (begin + n)) for n in range(frames)]
    rows, columns = photograph.shape[:2]
    corners = [(min(max(a, 0), columns - WIDTH), min(max(b, 0), rows - HEIGHT)) for a, b in corners]
    return [np.ascontiguousarray(photograph[b : b + HEIGHT, a : a + WIDTH]) for a, b in corners]


def with_repeats(pictures, every=5):
    """Each `every`-th picture shown twice, as a conversion from 24 to 30 frames per second does (every 4)."""
    return [picture for n, picture in enumerate(pictures) for _ in range(2 if n % every == every - 1 else 1)]


def write_videos(folder, photograph):
    """A folder with good, bad and double videos of three people; returns it."""
    for name in ("anna", "bert", "cleo"):
        (folder / name).mkdir(parents=True)
    write_video(folder / "anna" / "cut.mp4", with_repeats(shot(photograph, "anna")) + shot(photograph, "bert"), THIRTY)
    write_video(folder / "bert" / "shot.mp4", shot(photograph, "bert", 16, (2, -2)), THIRTY)
    write_video(folder / "cleo" / "again.mkv", shot(photograph, "bert", 16, (2, -2)), VideoSpec(options={"crf": "24"}))
    write_video(folder / "cleo" / "shot.mp4", shot(photograph, "cleo", 15, (-3, 0)), THIRTY)
    (folder / "cleo" / "copy.mp4").write_bytes((folder / "bert" / "shot.mp4").read_bytes())
    (folder / "cleo" / "cut_off.mp4").write_bytes((folder / "cleo" / "shot.mp4").read_bytes()[:5000])
    (folder / "cleo" / "empty.mp4").write_bytes(b"")
    (folder / "cleo" / "text.mp4").write_text("This is no video.")
    (folder / "notes.txt").write_text("not for us")
    return folder


def shard_bytes(folder):
    """Content of every shard of a data set, by its path in it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.tar"))}
