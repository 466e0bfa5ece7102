# A container with the Debian package and nothing else: scripts/setup.sh installs what the build needs,
# scripts/release.sh makes the package, and the last stage installs it with what it depends on.
#
#   docker build --tag sdx .
#   docker run --rm --volume "$PWD:/work" --user "$(id -u):$(id -g)" sdx sdx-train portraits/me --name Me
#
# SDX_PIP_ARGS: as of scripts/setup.sh, for example the --index-url of PyTorch's CPU builds. Without it
# libtorch may be a build for NVIDIA GPUs, which makes an image of several GB.
# BASE: Debian 12 or Ubuntu 24.04. The package is for the one that it was built on.
ARG BASE=debian:12-slim

FROM ${BASE} AS build
ARG SDX_PIP_ARGS=""
ARG SDX_JOBS=""
WORKDIR /src
COPY . .
# dpkg-dev and file find what the package depends on; setup.sh installs all else. Versions are the
# distribution's, which mends faults in them.
# hadolint ignore=DL3008
RUN scripts/setup.sh && \
    apt-get install -y --no-install-recommends dpkg-dev file && \
    scripts/release.sh --quick --allow-dirty --out /dist && \
    mv /dist/*.deb /dist/sdx.deb && \
    rm -rf /var/lib/apt/lists/*

FROM ${BASE}
# libheif and libtiff are loaded where they are, so the package only recommends them.
# From the other stage's disk, so that no layer holds the package beside what is in it.
# hadolint ignore=DL3008
RUN --mount=type=bind,from=build,source=/dist,target=/dist \
    apt-get update && \
    apt-get install -y --no-install-recommends /dist/sdx.deb libheif1 libtiff6 && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --create-home --uid 10001 sdx && \
    install -d -o sdx -g sdx /work
USER 10001
# What a container makes lies here: mount a folder of yours.
WORKDIR /work
CMD ["sdx-train", "--help"]
