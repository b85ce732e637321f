# syntax=docker/dockerfile:1
# The gateway without Postgres: set DATABASE_URL. Build: docker build -t dbt-gateway .

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# A profile-guided build: for about a minute it runs the training workload here, with Postgres and the simulator. `./dev`
# installs what that needs. The caches keep compiled dependencies between builds.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    ./dev release \
    && install -D target/dbt-gateway /out/dbt-gateway

FROM debian:bookworm-slim
# Certificate authorities, for TLS to dbt Cloud: always the newest version.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/dbt-gateway /usr/local/bin/dbt-gateway
USER 65532:65532
# 8081: health checks and metrics, without a key. Do not publish it.
ENV DBT_GATEWAY_LISTEN=0.0.0.0:8080 DBT_GATEWAY__HEALTH__LISTEN=0.0.0.0:8081 DBT_GATEWAY__LOG__FORMAT=json
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["dbt-gateway", "healthcheck"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["dbt-gateway"]
CMD ["serve"]
