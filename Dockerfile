# One image for every actor, the sandbox and the command line.
#
# Each package is checked against its hash, what builds a package too. A release names the base image by its digest
# (docs/release.md): docker build --build-arg BASE_IMAGE=python:3.11-slim@sha256:… .
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY requirements-build.lock ./
RUN python -m venv tools && tools/bin/pip install --require-hashes -r requirements-build.lock

# Traces need OpenTelemetry's SDK: docker build --build-arg LOCK=requirements-otel.lock .
# A briefing agent in VideoSDK rooms needs the VideoSDK framework too: LOCK=requirements-videosdk.lock
ARG LOCK=requirements.lock
COPY requirements.lock requirements-otel.lock requirements-videosdk.lock ./
# Without build isolation: pip would fetch the tools of a source package itself, without hashes.
RUN tools/bin/pip wheel --require-hashes --no-deps --no-build-isolation --wheel-dir wheels -r "$LOCK"

COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY metrics metrics
COPY tracing tracing
COPY bus bus
COPY client client
COPY adapters adapters
COPY actors actors
COPY integrations integrations
COPY cli cli
COPY sandbox sandbox
RUN tools/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir wheels . \
    && python -m venv --without-pip /srv/warmxfer \
    && tools/bin/pip --python /srv/warmxfer/bin/python install --no-index --no-deps wheels/*.whl

# It writes no file but in /tmp, so its file system may be read-only. The user has no name and no rights.
FROM ${BASE_IMAGE}
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp PATH=/srv/warmxfer/bin:$PATH
COPY --from=build /srv/warmxfer /srv/warmxfer
WORKDIR /srv/warmxfer
USER 10001:10001
ENTRYPOINT ["warmxfer"]
CMD ["--help"]
