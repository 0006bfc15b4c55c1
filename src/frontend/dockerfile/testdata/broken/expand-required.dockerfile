FROM debian
ENV a=${b:?needed}
