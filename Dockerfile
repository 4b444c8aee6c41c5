# The service as an image. docs/deployment.md says how it is run.
#
#     docker build -t recognizer .
#
# The base image is pinned by versions, so that a new build takes in the security fixes of Debian and Python. By digest:
#
#     docker build --build-arg PYTHON_IMAGE=python@sha256:... -t recognizer .
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-trixie
# mysql: databases on servers; video: jobs on videos; search: the indexes int8 and hnsw.
ARG EXTRAS=serve,mysql,video,search


FROM ${PYTHON_IMAGE} AS built

ARG EXTRAS
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PATH=/opt/recognizer/venv/bin:$PATH
RUN python -m venv /opt/recognizer/venv
WORKDIR /source
# What others made, in a layer that stays as long as setup.cfg does.
COPY setup.cfg pyproject.toml LICENSE ./
COPY common/__init__.py common/
# hadolint ignore=DL3013
RUN pip install ".[${EXTRAS}]"
COPY . .
RUN pip install --no-deps --force-reinstall . \
    && pip uninstall --yes pip


FROM built AS weights

ENV RECOGNIZER_CACHE=/fetched
RUN recognizer models pull mobilefacenet mtcnn antispoof \
    && python -c 'from recognizer.service.pages import htmx; htmx.fetch()' \
    && install -D -m 0644 -t /opt/recognizer/weights /fetched/files/*/*.tflite /fetched/files/*/*.js


FROM ${PYTHON_IMAGE}

ARG PYTHON_IMAGE
LABEL org.opencontainers.image.title="recognizer" \
      org.opencontainers.image.description="Face recognition over HTTP: find the faces in photos and say whose they are" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"

RUN groupadd --gid 10001 recognizer \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin recognizer \
    && install -d -o 10001 -g 10001 -m 0700 /data \
    && install -d /etc/recognizer

COPY --from=built /opt/recognizer/venv /opt/recognizer/venv
COPY --from=weights /opt/recognizer/weights /opt/recognizer/weights

# Everything that is written goes to /data, but for what is on its way in, which goes to /tmp.
ENV PATH=/opt/recognizer/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    RECOGNIZER_WEIGHTS=/opt/recognizer/weights \
    RECOGNIZER_DATA=/data \
    RECOGNIZER_CACHE=/data/cache \
    RECOGNIZER_SERVICE_HOST=0.0.0.0 \
    RECOGNIZER_SERVICE_PORT=8000 \
    RECOGNIZER_SERVICE_KEYS=required

# A recognizer.yaml that is put here is the settings file.
WORKDIR /etc/recognizer
VOLUME ["/data"]
EXPOSE 8000
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["recognizer", "health"]
ENTRYPOINT ["recognizer"]
CMD ["serve"]
