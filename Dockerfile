# docker build -t alight . && docker run --rm -p 8000:8000 alight
# Own models: -v /path/to/models:/srv/alight/models:ro. Settings: -e ALIGHT_… (docs/configuration.md).
# Reachable by others than yourself: -e ALIGHT_ADMIN=false, or every client may unload models.
FROM debian:bookworm-slim AS build
WORKDIR /src
COPY scripts/packages scripts/install-packages scripts/
RUN scripts/install-packages build && rm -rf /var/lib/apt/lists/*
COPY . .
RUN scripts/serve --build-only

FROM debian:bookworm-slim
COPY scripts/packages scripts/install-packages /tmp/
RUN /tmp/install-packages run image && rm -rf /var/lib/apt/lists/* /tmp/packages /tmp/install-packages \
    && install -d -o nobody -g nogroup /var/cache/alight
COPY --from=build /src/build/alightd /src/build/alight /usr/local/bin/
COPY models /srv/alight/models
# Kernels measured at load are kept in XDG_CACHE_HOME/alight; a volume there outlives the container.
ENV ALIGHT_LISTEN=0.0.0.0:8000 ALIGHT_MODELS=/srv/alight/models XDG_CACHE_HOME=/var/cache
USER nobody
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=2s --start-period=10s \
    CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:8000/v2/health/ready"]
ENTRYPOINT ["alightd"]
