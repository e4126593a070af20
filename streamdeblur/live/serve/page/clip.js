// The player of a clip: the original alone, or together with the restored clip, in step from frame to frame.

// Frames of each clip that are kept until the other one shows the same moment.
const KEPT_FRAMES = 3;
// If no two frames of the same moment were shown for so long, whatever is shown is drawn.
const PATIENCE_MILLISECONDS = 1000;
// Beyond this distance the original is not made faster or slower: the result waits for it.
const MOST_SECONDS_APART = 0.3;
const USUAL_FRAME_SECONDS = 0.04;

export class ClipPlayer {
  // before, after: video elements that have loaded; after: null while there is no result. firstSecond: time of the original at
  // which the result begins; frameSeconds: time between two frames, or 0.
  constructor(before, after, { firstSecond = 0, frameSeconds = 0 } = {}) {
    this.before = new ShownFrames(before);
    this.after = after && new ShownFrames(after);
    this.leader = this.after || this.before;
    this.firstSecond = firstSecond;
    this.frameSeconds = frameSeconds || USUAL_FRAME_SECONDS;
    this.drawnAt = performance.now();
    this.playing = false;
    // the time that the original was sent to while both rest
    this.sentTo = null;
    this.video.addEventListener("ended", () => this.#again());
  }

  get video() {
    return this.leader.video;
  }

  get duration() {
    return this.video.duration || 0;
  }

  // Seconds of the original, of the frame that is shown.
  get sourceTime() {
    return Math.max(0, this.leader.latest.time - this.leader.first + (this.after ? this.firstSecond : 0));
  }

  // Plays both from the same frame. A browser may refuse to play; the frame that is shown stays then.
  async play() {
    this.playing = true;
    await this.#meet();
    if (!this.playing) return;
    await Promise.allSettled(this.#both().map(({ video }) => video.play()));
    this.playing = !this.video.paused;
  }

  pause() {
    this.playing = false;
    this.#rest();
  }

  // Shows the frame at a time of the clip that is in front: the result, or else the original.
  seek(seconds) {
    const last = Math.max(0, this.duration - this.frameSeconds / 2);
    this.video.currentTime = Math.min(last, Math.max(0, seconds));
  }

  // Stops, and shows the frame that comes so many frames later.
  step(frames) {
    this.pause();
    this.seek(this.leader.latest.time + (frames + 0.5) * this.frameSeconds);
  }

  // What the comparison draws at once, or null where the two clips have shown no frame of the same moment since the last one.
  picture() {
    this.#both().forEach((shown) => shown.take());
    if (this.after && this.video.paused) this.#followFrame();
    else if (this.after) this.#followTime();
    const [before, after] = this.#pair();
    if (!before) return null;
    this.drawnAt = performance.now();
    const { videoWidth: width, videoHeight: height } = this.video;
    return { width, height, before: [before.picture, 0], after: after && [after.picture, 0] };
  }

  close() {
    this.#both().forEach((shown) => shown.close());
  }

  #both() {
    return this.after ? [this.before, this.after] : [this.before];
  }

  // Time of the original for a time of the result.
  #ofOriginal(seconds) {
    return seconds - this.after.first + this.firstSecond + this.before.first;
  }

  // The latest frames that belong together.
  #pair() {
    if (!this.after) return [this.before.latest, null];
    for (const after of this.after.frames.toReversed()) {
      const time = this.#ofOriginal(after.time);
      const before = this.before.frames.findLast((frame) => Math.abs(frame.time - time) < this.frameSeconds / 2);
      if (before) return [before, after];
    }
    const stuck = performance.now() - this.drawnAt > PATIENCE_MILLISECONDS && !this.#both().some(({ video }) => video.seeking);
    return stuck ? [this.before.latest, this.after.latest] : [];
  }

  // Has the original show the frame that the result shows, while both rest.
  #followFrame() {
    if (this.video.seeking) return;
    const { video } = this.before;
    const wanted = this.#ofOriginal(this.after.latest.time) + this.frameSeconds / 2;
    if (wanted !== this.sentTo) video.currentTime = wanted;
    this.sentTo = wanted;
  }

  // Has the original play as far as the result: a little faster or slower, or together from the same frame again.
  #followTime() {
    const { video } = this.before;
    const late = this.#ofOriginal(this.video.currentTime) - video.currentTime;
    this.sentTo = null;
    if (Math.abs(late) > MOST_SECONDS_APART) this.play();
    else video.playbackRate = Math.min(1.25, Math.max(0.8, 1 + 2 * late));
  }

  #rest() {
    this.#both().forEach(({ video }) => video.pause());
  }

  // Returns when both rest at the same frame.
  async #meet() {
    this.#rest();
    await sought(this.video);
    if (!this.after) return;
    this.after.take();
    this.#followFrame();
    await sought(this.before.video);
  }

  #again() {
    if (!this.playing) return;
    this.video.currentTime = 0;
    this.play();
  }
}

// Returns when a video does not seek any more.
function sought(video) {
  return video.seeking ? new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true })) : null;
}

// The last frames that a video has shown: { picture, time }, where the picture can be drawn, and the time is in seconds.
class ShownFrames {
  frames = [];
  #first = null;

  constructor(video) {
    this.video = video;
    this.take();
  }

  // Time of its first frame, which may be above 0.
  get first() {
    return this.#first ?? this.video.currentTime;
  }

  get latest() {
    return this.frames.at(-1) || { picture: this.video, time: this.video.currentTime };
  }

  take() {
    const frame = currentFrame(this.video);
    if (!frame) return;
    this.#first ??= frame.time;
    if (this.frames.at(-1)?.time === frame.time) return closeFrame(frame);
    this.frames.push(frame);
    if (this.frames.length > KEPT_FRAMES) closeFrame(this.frames.shift());
  }

  close() {
    this.frames.forEach(closeFrame);
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }
}

function currentFrame(video) {
  // Browsers without VideoFrame do not tell which frame they show.
  if (!window.VideoFrame) return { picture: video, time: video.currentTime };
  try {
    const picture = new VideoFrame(video);
    return { picture, time: picture.timestamp / 1e6 };
  } catch {
    // no frame is there yet, or while the video seeks
    return null;
  }
}

function closeFrame({ picture }) {
  if (picture.close) picture.close();
}
