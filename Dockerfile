# Build: docker build -t scim-bridge .
# Run:   docker run -p 8080:8080 -e DATABASE_URL=… -e SCIM_BRIDGE_MASTER_KEY=… scim-bridge   (see compose.yaml)
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ libc6-dev make cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs ./
COPY src src
COPY migrations migrations
COPY scim-schemas scim-schemas
COPY benches benches
COPY tests tests
RUN cargo build --release --locked --bin scim-bridge

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates openssh-client && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/scim-bridge --create-home scim-bridge
COPY --from=build /src/target/release/scim-bridge /usr/local/bin/scim-bridge
USER scim-bridge
ENV SCIM_BRIDGE_LISTEN=0.0.0.0:8080 SCIM_BRIDGE_LOG=json
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["scim-bridge", "healthcheck"]
ENTRYPOINT ["scim-bridge"]
CMD ["serve"]
