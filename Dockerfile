# One image for every actor, the sandbox and the command line.
FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1
WORKDIR /srv/warmxfer

COPY requirements.lock .
RUN pip install --require-hashes -r requirements.lock

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
# requirements.lock contains no extra. A briefing agent in VideoSDK rooms needs the VideoSDK framework, and traces
# need OpenTelemetry's SDK: docker build --build-arg EXTRA='[videosdk,otel]' .
ARG EXTRA=
RUN if [ -n "$EXTRA" ]; then pip install ".$EXTRA"; else pip install --no-deps .; fi \
    && useradd --create-home warmxfer

USER warmxfer
ENTRYPOINT ["warmxfer"]
CMD ["--help"]
