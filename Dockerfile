# The image of the manager: one static program, CA certificates, an empty cache
# directory, and nothing else. It runs with a read-only root file system as long
# as a volume is mounted on the cache directory.

# BASE has the Go tool chain, a shell and CA certificates.
ARG BASE=docker.io/library/golang:1.26

FROM ${BASE} AS builder
ARG VERSION=v0.0.0-dev
WORKDIR /empty
WORKDIR /workspace
COPY . .
RUN CGO_ENABLED=0 GOTOOLCHAIN=local \
    go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /manager .

FROM scratch
COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=builder --chown=65532:65532 /empty /var/cache/caapb
COPY --from=builder /manager /manager
# After the copy: what is changed in a volume is lost.
VOLUME /var/cache/caapb
USER 65532:65532
ENTRYPOINT ["/manager"]
