# Build with BuildKit, which Docker has by itself since 23.0: docker build -t communiconnect .
FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY protocol protocol
COPY xtask xtask
COPY loadtest loadtest
COPY benches benches
COPY examples examples
COPY src src
# What an earlier build left in the cache is told from this source by time stamps alone, and those of another checkout may be
# older than that build: touched, no file of ours is taken for one that was compiled already.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target,id=communiconnect-target \
    find . -path ./target -prune -o -type f -exec touch {} + \
    && cargo build --locked --profile dist --bin communiconnect && cp target/dist/communiconnect /communiconnect

FROM debian:bookworm-slim
# Whoever serves Redis or PostgreSQL over TLS is trusted by these.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
RUN groupadd --gid 10001 communiconnect \
    && useradd --uid 10001 --gid 10001 --no-log-init --home-dir /data --shell /usr/sbin/nologin communiconnect \
    && install -d -o communiconnect -g communiconnect /data /pictures
COPY --from=build /communiconnect /usr/local/bin/communiconnect
# By number: an engine that must not run root can tell it from that without looking into the image.
USER 10001:10001
VOLUME /data
EXPOSE 8080/tcp 8189/udp
# Inside a container every interface is the container's own; publish only what you mean to.
ENV CC_HTTP__LISTEN=0.0.0.0:8080 CC_STORE__DATA=/data
# An engine kills ten seconds after it asked for the end, unless it is told to wait longer.
ENV CC_NODE__DRAIN_MS=7000
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["/bin/bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["communiconnect"]
