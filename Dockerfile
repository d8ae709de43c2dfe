# The checkout with its environment, as `make setup` makes it, for a CPU or for CUDA:
#   docker build -t posestructs .
#   docker build -t posestructs:cuda --build-arg DEVICE=cuda .      then: docker run --gpus all ...
#   docker run --rm -v "$PWD:/data" posestructs predict people.jpg --out-dir out
FROM python:3.11-slim-bookworm AS build

# xtcocotools is compiled
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/posestructs
COPY requirements.txt setup.py pyproject.toml README.md LICENSE ./
COPY requirements requirements
COPY posestructs posestructs
COPY configs configs
COPY tools tools
COPY demo demo

# the build of torch on PyPI is that for CUDA, with its libraries
ARG DEVICE=cpu
RUN case "$DEVICE" in \
        cpu) TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu" ;; \
        cuda) TORCH="torch==2.13.0" ;; \
        *) echo "DEVICE=$DEVICE, allowed: cpu, cuda" >&2; exit 1 ;; \
    esac \
    && PIP_NO_CACHE_DIR=1 python tools/misc/setup_env.py --venv .venv --torch "$TORCH"

FROM python:3.11-slim-bookworm

COPY --from=build /opt/posestructs /opt/posestructs
ENV PATH=/opt/posestructs/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1
RUN useradd --create-home --uid 1000 user && install -d -o user /data
USER 1000
WORKDIR /data
ENTRYPOINT ["posestructs"]
CMD ["--help"]
