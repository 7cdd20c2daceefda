# One image for the API, the workers and the migration; see docs/operations.md.
# docs/decisions/0012 says why it runs from the source tree.

FROM python:3.11-slim-bookworm AS environment
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /venv
# requirements-standalone.lock brings the stand-in arXiv's PDF library and a PostgreSQL besides,
# requirements-extras.lock what Parquet and traces need
ARG LOCK=requirements.lock
COPY requirements.lock requirements-standalone.lock requirements-extras.lock tools/install_locked.py ./
RUN /venv/bin/python install_locked.py $LOCK

FROM python:3.11-slim-bookworm
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    DATA_DIR=/data
RUN useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin ingestion \
    && install --directory --owner=ingestion --group=ingestion --mode=0750 /data
COPY --from=environment /venv /venv
WORKDIR /app
COPY alembic.ini ./
COPY migrations/ migrations/
COPY service/ service/
# by number: a cluster that wants to see that it is not root cannot look names up
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# For the API. A worker has a port with WORKER_PORT only: give it a check of its own.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', timeout=2)"]
ENTRYPOINT ["python", "-m", "service"]
CMD ["serve"]
