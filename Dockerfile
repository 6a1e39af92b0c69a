# Three images from one file: api, sync, and demo, which is a simulated OpenStack with a sample inventory.
#   docker build --target api --tag reference-api .

FROM python:3.13-slim AS base
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

# What is needed to build stays here: of this stage only /opt/venv and /app are copied.
FROM base AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements/build.txt ./
RUN python -m venv /opt/venv && pip install --require-hashes --requirement build.txt
COPY deploy/containers/slim.sh ./

FROM build AS build-api
COPY requirements/api.txt ./
RUN pip install --require-hashes --no-build-isolation --requirement api.txt && sh slim.sh
COPY shared /app/shared
COPY api_service /app/api_service
RUN python -m compileall -q /app

FROM build AS build-sync
COPY requirements/sync.txt ./
RUN pip install --require-hashes --no-build-isolation --requirement sync.txt && sh slim.sh
COPY shared /app/shared
COPY sync_service /app/sync_service
RUN python -m compileall -q /app

FROM build-api AS build-demo
COPY deploy/__init__.py /app/deploy/
COPY deploy/local /app/deploy/local
RUN python -m compileall -q /app && mkdir /data

FROM base AS run
WORKDIR /app
# No name: who runs it is told by number only, and owns nothing but what is mounted.
USER 10001:10001
LABEL org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.vendor="the reference API's authors"

FROM run AS demo
COPY --from=build-demo /opt/venv /opt/venv
COPY --from=build-demo /app /app
COPY --from=build-demo --chown=10001:10001 /data /data
VOLUME /data
EXPOSE 5000-5003
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s \
    CMD ["python", "-m", "shared.health_check", "http://127.0.0.1:5000/identity/v3"]
ENTRYPOINT ["python", "-m", "deploy.local.openstack"]
CMD ["--host", "0.0.0.0", "--port", "5000", "--sample", "/data/reference-repository", "--clouds", "/data/openstack/clouds.yaml"]
LABEL org.opencontainers.image.title=reference-demo \
      org.opencontainers.image.description="A simulated OpenStack with a sample inventory, for the reference API"

FROM run AS sync
COPY --from=build-sync /opt/venv /opt/venv
COPY --from=build-sync /app /app
EXPOSE 8081
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["sh", "-c", "exec python -m shared.health_check http://127.0.0.1:${REFERENCE_SYNC_PORT:-8081}/healthz"]
ENTRYPOINT ["python", "-m", "sync_service"]
LABEL org.opencontainers.image.title=reference-sync \
      org.opencontainers.image.description="Polls every site's Blazar and publishes which node is free when"

FROM run AS api
COPY --from=build-api /opt/venv /opt/venv
COPY --from=build-api /app /app
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["sh", "-c", "exec python -m shared.health_check http://127.0.0.1:${REFERENCE_API_PORT:-8000}/healthz"]
ENTRYPOINT ["python", "-m", "api_service"]
LABEL org.opencontainers.image.title=reference-api \
      org.opencontainers.image.description="Which hardware an OpenStack testbed has, and when each node is free"
