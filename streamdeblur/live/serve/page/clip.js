// The player of a clip: the original alone, or together with the restored clip, in step from frame to frame.

// If no two frames of the same moment were shown for so long, whatever is shown is drawn.
const PATIENCE_MILLISECONDS = 300;
// Beyond this distance the original is not made faster or slower, but jumps.
const MOST_SECONDS_APART = 0.3;
const USUAL_FRAME_SECONDS = 0.04;

export class ClipPlayer {
  // before, after: video elements; after: null while there is no result. firstSecond: time of the original at which the result
  // begins; frameSeconds: time between two frames, or 0.
  constructor(before, after, { firstSecond = 0, frameSeconds = 0 } = {}) {
    this.before = follow(before);
    this.after = after && follow(after);
    this.leader = this.after || this.before;
    this.firstSecond = firstSecond;
    this.frameSeconds = frameSeconds || USUAL_FRAME_SECONDS;
    this.drawnAt = 0;
    if (after) this.leader.onFrame = () => this.#keepInStep();
  }

  get video() {
    return this.leader.video;
  }

  get duration() {
    return this.video.duration || 0;
  }

  // Seconds of the original, of the frame that is shown.
  get sourceTime() {
    return Math.max(0, this.leader.shown - this.leader.first + (this.after ? this.firstSecond : 0));
  }

  // A browser may refuse to play; the frame that is shown stays then.
  async play() {
    await Promise.allSettled(this.#videos().map((video) => video.play()));
  }

  pause() {
    this.#videos().forEach((video) => video.pause());
    this.seek(this.leader.shown + this.frameSeconds / 2);
  }

  // Shows the frame at a time of the clip that is in front: the result, or else the original.
  seek(seconds) {
    const last = Math.max(0, this.duration - this.frameSeconds / 2);
    this.video.currentTime = Math.min(last, Math.max(0, seconds));
    if (this.after) this.before.video.currentTime = this.#ofOriginal(this.video.currentTime);
  }

  // Shows a frame that comes so many frames later.
  step(frames) {
    this.#videos().forEach((video) => video.pause());
    this.seek(this.leader.shown + (frames + 0.5) * this.frameSeconds);
  }

  // What the comparison draws, or null where the two clips are not at the same frame.
  picture() {
    const inStep = !this.after || Math.abs(this.#ofOriginal(this.after.shown) - this.before.shown) < this.frameSeconds / 2;
    const now = performance.now();
    if (!inStep && now - this.drawnAt < PATIENCE_MILLISECONDS) return null;
    this.drawnAt = now;
    const { videoWidth: width, videoHeight: height } = this.video;
    return { width, height, before: [this.before.video, 0], after: this.after && [this.after.video, 0] };
  }

  close() {
    this.#videos().forEach((video) => {
      video.pause();
      video.removeAttribute("src");
      video.load();
    });
  }

  #videos() {
    return [this.before, this.after].filter(Boolean).map(({ video }) => video);
  }

  // Time of the original for a time of the result.
  #ofOriginal(seconds) {
    return seconds - this.after.first + this.firstSecond + this.before.first;
  }

  #keepInStep() {
    const { video } = this.before;
    if (this.video.paused) return;
    const late = this.#ofOriginal(this.video.currentTime) - video.currentTime;
    if (Math.abs(late) > MOST_SECONDS_APART) {
      video.currentTime += late;
      if (video.paused) video.play().catch(() => {});
    }
    video.playbackRate = Math.min(1.25, Math.max(0.8, 1 + 2 * late));
  }
}

// Follows which frame of a clip is shown: { video, first, shown }, times in seconds of its first frame and of that frame.
function follow(video) {
  const followed = { video, first: 0, shown: video.currentTime, onFrame: () => {} };
  let known = false;
  const take = (_, { mediaTime }) => {
    // the first frame may have a time stamp above 0
    if (!known && video.currentTime < 0.001) followed.first = mediaTime;
    known = true;
    followed.shown = mediaTime;
    followed.onFrame();
    video.requestVideoFrameCallback(take);
  };
  video.requestVideoFrameCallback(take);
  return followed;
}
