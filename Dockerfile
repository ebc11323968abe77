# syntax=docker/dockerfile:1
# Build with: docker build -t communiconnect .
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ libc6-dev make && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY protocol protocol
COPY xtask xtask
COPY loadtest loadtest
COPY benches benches
COPY examples examples
COPY src src
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build/target \
    cargo build --locked --profile dist --bin communiconnect && cp target/dist/communiconnect /communiconnect

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin communiconnect \
    && install -d -o communiconnect -g communiconnect /data
COPY --from=build /communiconnect /usr/local/bin/communiconnect
USER communiconnect
VOLUME /data
EXPOSE 8080/tcp 8189/udp
# Inside a container every interface is the container's own; publish only what you mean to.
ENV CC_HTTP__LISTEN=0.0.0.0:8080 CC_STORE__DATA=/data
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["/bin/bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["communiconnect"]
