# syntax=docker/dockerfile:1
# The gateway alone: give it a DATABASE_URL. Build: docker build -t dbt-gateway .

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release --package gateway

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/target/release/dbt-gateway /usr/local/bin/dbt-gateway
USER 65532:65532
ENV DBT_GATEWAY_LISTEN=0.0.0.0:8080 DBT_GATEWAY__LOG__FORMAT=json
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["curl", "-fsS", "http://127.0.0.1:8080/healthz"]
ENTRYPOINT ["dbt-gateway"]
CMD ["serve"]
