# One image for every role. Nothing is fetched when it runs: the models come in packages.
#
#     docker build -t turret .
#     docker run --init -p 8000:8000 -v turret:/var/lib/turret turret

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
# For an index of your own, or the one with PyTorch's builds without CUDA, which make the image smaller by gigabytes.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
WORKDIR /src
RUN python -m venv /opt/turret
# The libraries first: they change rarely, and are most of the image.
COPY pyproject.toml constraints.txt ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > requirements.txt \
    && /opt/turret/bin/pip install --quiet --constraint constraints.txt --requirement requirements.txt
COPY README.md LICENSE workspace.yaml ./
COPY dagster_home dagster_home
COPY turret_pipeline turret_pipeline
COPY turret_api turret_api
RUN /opt/turret/bin/pip install --quiet --constraint constraints.txt --no-deps .

FROM python:3.11-slim-bookworm
# tini takes the ends of processes that have lost their parents.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --home-dir /var/lib/turret --create-home turret
COPY --from=build /opt/turret /opt/turret
# What is imported is compiled by the build: the folder is not ours to write to.
ENV PATH=/opt/turret/bin:$PATH \
    TURRET_HOME=/var/lib/turret \
    HF_HUB_OFFLINE=1 \
    HOME=/tmp
USER 10001:10001
WORKDIR /var/lib/turret
VOLUME /var/lib/turret
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s --retries=3 CMD ["python", "-m", "turret_api.alive"]
ENTRYPOINT ["tini", "--", "turret"]
CMD ["up", "--host", "0.0.0.0"]
