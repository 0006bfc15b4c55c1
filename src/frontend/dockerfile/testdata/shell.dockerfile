FROM debian
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN curl -fsSL https://example.test/x | tar xz
ENTRYPOINT exec top -b
CMD ["-d", "5"]
HEALTHCHECK --start-period=1m --start-interval=500ms --retries=5 CMD ["curl", "-f", "http://localhost/"]
STOPSIGNAL SIGINT
