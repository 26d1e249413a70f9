# The server in a container; docs/docker.md says how to build, start and feed it.
#
#   docker build -t autoglm-phone .                                         gets its model at the first start
#   docker build -t autoglm-phone --build-arg BUNDLE=autoglm-phone-nano .   carries it
#
# tests/real/test_container.py takes every step in a bare Debian and starts what comes out. Stages and steps are in the
# order of how seldom they change.

FROM debian:bookworm-slim AS python
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libgomp1 python3 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app

# The locked environment, at the path that it has in the end. Of the program, only what names its version is here, so
# that a change of the program does not install everything anew.
FROM python AS environment
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
# another package index than pip's own; if it is not given, it is not set
ARG PIP_INDEX_URL
ENV PIP_NO_CACHE_DIR=1
COPY pyproject.toml requirements.lock ./
COPY scripts/setup.sh scripts/
COPY src/autoglm_phone/__init__.py src/autoglm_phone/
RUN sh scripts/setup.sh venv requirements.lock

# The model folder: empty, unless BUNDLE names a bundle of the catalogue.
FROM environment AS model
ARG BUNDLE=
ENV AUTOGLM_HOME=/app/model
COPY requirements-nano.lock requirements-nano-plus.lock requirements-voice.lock ./
COPY src src
RUN mkdir model && if [ -n "$BUNDLE" ]; then sh scripts/setup.sh bundle "$BUNDLE"; fi

FROM python
# by number below: a cluster that admits no root sees it without looking into the image
RUN groupadd --gid 10001 autoglm \
    && useradd --uid 10001 --gid 10001 --home-dir /app/model --no-create-home --shell /usr/sbin/nologin autoglm
COPY --from=environment /app/.venv .venv
COPY --from=model --chown=10001:10001 /app/model model
COPY LICENSE pyproject.toml requirements.lock requirements-nano.lock requirements-nano-plus.lock \
    requirements-voice.lock run_autoglm_server.sh ./
COPY scripts/setup.sh scripts/
COPY src src
# compiled here, because the user of the container may write nothing
RUN python3 -m compileall -q src && ln -s /app/run_autoglm_server.sh /usr/local/bin/run_autoglm_server.sh

# 0.0.0.0 is this container's own network: who reaches it is up to what the container's port is published on.
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    AUTOGLM_HOME=/app/model \
    AUTOGLM_HOST=0.0.0.0 \
    AUTOGLM_PORT=8000
USER 10001:10001
EXPOSE 8000
# as Ctrl-C: streams are ended, both workers too, and the status is 0
STOPSIGNAL SIGINT
# past any proxy; the first start may have to get the model, which takes as long as the network takes
HEALTHCHECK --interval=30s --timeout=5s --start-period=15m CMD ["python3", "-c", "\
import os, urllib.request as r; \
r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['AUTOGLM_PORT'] + '/health', timeout=4)"]
ENTRYPOINT ["/usr/local/bin/run_autoglm_server.sh"]
