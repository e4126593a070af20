"""Blur as exposures make it.

- `scheme`: the blur schemes and how they are spelled;
- `response`: the camera's response (psi-hat), and `response_fitting`: fitting it to recorded blur;
- `observation`, `stop_rules`, `averaging`: which frames of a clip one exposure averages;
- `trajectories`, `camera`: how a camera shakes, as blur kernels and as paths over frames;
- `convolution`, `sensor`, `compression`: convolution, noise and clipping, and what a stream does to a picture;
- `view`: the part of a frame that a pair shows; `exposures`: `expose`, which makes a pair by any scheme;
- `options`, `streaming`, `pair_files`, `video`: pairs of a whole video, the command ``streamdeblur blur``.
"""
