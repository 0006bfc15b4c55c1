ARG GO_VERSION=1.26
FROM --platform=$BUILDPLATFORM debian AS builder
ARG TARGETOS TARGETARCH
ARG VERSION=dev
WORKDIR /go/src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd/ cmd/
COPY internal/ internal/
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -ldflags "-X main.version=$VERSION" -o /out/app ./cmd/app

FROM scratch
LABEL org.opencontainers.image.title="app" \
      org.opencontainers.image.description="An application, with \"quotes\" and $VARIABLES"
COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=builder --chmod=0555 /out/app /app
USER 65532:65532
ENTRYPOINT ["/app"]
