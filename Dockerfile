# syntax=docker/dockerfile:1
#
#   docker build --tag streamdeblur .                        the command
#   docker build --tag streamdeblur:serve --target serve .   the page for browsers
#   docker build --tag streamdeblur:gpu --target gpu .       the command on an NVIDIA GPU
#
# docs/containers.md says how each is used.

FROM python:3.13-slim-trixie AS build
WORKDIR /src
COPY . .
RUN python3 -m venv /opt/streamdeblur
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/streamdeblur/bin/pip install '.[live]'

FROM nvidia/cuda:12.9.1-devel-ubuntu24.04 AS cuda

FROM build AS build-gpu
# pycuda has no wheels: it is compiled with CUDA's headers, for the library of the driver, which a container gets from its host
COPY --from=cuda /usr/local/cuda/include /usr/local/cuda/include
COPY --from=cuda /usr/local/cuda/lib64/stubs /usr/local/cuda/lib64/stubs
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
RUN echo 'CUDA_ROOT = "/usr/local/cuda"; CUDA_ENABLE_CURAND = False' > /etc/aksetup-defaults.py
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/streamdeblur/bin/pip install '.[live,tensorrt]'

FROM python:3.13-slim-trixie AS system
# what OpenCV links to, for its window; Debian keeps one version of each
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0t64 \
    && rm -rf /var/lib/apt/lists/*
# any user may keep caches, so that --user works
RUN useradd --uid 1000 --no-create-home streamdeblur \
    && install --directory --mode 1777 /cache
ENV PATH=/opt/streamdeblur/bin:$PATH XDG_CACHE_HOME=/cache PYTHONUNBUFFERED=1
VOLUME /cache
WORKDIR /work
USER 1000
ENTRYPOINT ["streamdeblur"]

FROM system AS gpu
# what the container toolkit gives a container of the driver: CUDA, NVENC and nvidia-smi
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,video,utility
COPY --from=build-gpu /opt/streamdeblur /opt/streamdeblur
CMD ["--help"]

FROM system AS serve
COPY --from=build /opt/streamdeblur /opt/streamdeblur
EXPOSE 8765
# any answer will do: the page itself asks for its token
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", "\
from http.client import HTTPConnection; \
connection = HTTPConnection('127.0.0.1', 8765, timeout=4); \
connection.request('GET', '/'); \
connection.getresponse()"]
CMD ["serve", "--host", "0.0.0.0"]

FROM system AS command
COPY --from=build /opt/streamdeblur /opt/streamdeblur
CMD ["--help"]
