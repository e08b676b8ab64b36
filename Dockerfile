# The API alone, in front of a MongoDB of yours: see compose.yaml and deploy/. Models, seeds and migrations are a project,
# mounted at /project or copied there by a Dockerfile that begins with `FROM` this image.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/sheaf
WORKDIR /src
COPY requirements/image.lock requirements/
RUN /opt/sheaf/bin/pip install --quiet --require-hashes -r requirements/image.lock
COPY pyproject.toml README.md LICENSE ./
COPY api api
COPY documents documents
COPY scripts scripts
COPY sheaf_command.py ./
RUN /opt/sheaf/bin/pip install --quiet --no-deps .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home --home-dir /project sheaf
COPY --from=build /opt/sheaf /opt/sheaf
ENV PATH=/opt/sheaf/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    SHEAF_HOST=0.0.0.0 SHEAF_PORT=8000 SHEAF_ENVIRONMENT=production
WORKDIR /project
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
# The signal that drains: running requests end, then the process does, with 0.
STOPSIGNAL SIGTERM
ENTRYPOINT ["sheaf"]
CMD ["serve"]
