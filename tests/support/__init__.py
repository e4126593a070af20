"""What several test modules share.

- `reference`: slow, plain NumPy definitions of what the kernels compute.
- `fakes`: devices that this machine lacks. `fakes.gpu.fake_gpu` runs the code for TensorRT on fakes of pycuda and tensorrt that
  enforce the rules of the real ones; `fakes.cuda_on_host` compiles the CUDA kernels for the CPU.
  `fakes.live`: sources, sinks and engines of a live loop, with faults.
- `media`: frames, windows of faces, clips with known motion, video files and data sets that the tests make.
- `models`: small ONNX networks, and small trainings.
- `live`: frames and runs of live loops.
- `tasks`: tasks of a data set for worker processes.
- `metrics`: how alike two pictures are.
- `cli`, `servers`, `browsers`, `gstreamer`: the commands, `streamdeblur serve`, its page and GStreamer, as tests run them.
"""
