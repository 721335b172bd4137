# Two images of the same content:
#
#   make image              target local: the binary that `make build` made; pulls nothing
#   make image-multistage   target built: builds it in here, for those without a Go toolchain
#
# The runtime: no shell, no user but one, nothing writable but /data.

FROM scratch AS runtime
USER 65532:65532
ENV MESHSEC_HOME=/data
EXPOSE 7470/tcp 7470/udp 7480/tcp
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s CMD ["/meshsec", "health", "--node", "http://127.0.0.1:7480"]
ENTRYPOINT ["/meshsec"]
CMD ["start"]

# The context is bin/image, which `make image` fills: meshsec, and an empty data.
FROM runtime AS local
COPY --chown=65532:65532 data /data
COPY meshsec /meshsec
WORKDIR /data
VOLUME /data

# The context is the repository.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
RUN mkdir /data && make build VERSION="$VERSION"

FROM runtime AS built
COPY --from=build --chown=65532:65532 /data /data
COPY --from=build /src/bin/meshsec /meshsec
WORKDIR /data
VOLUME /data
