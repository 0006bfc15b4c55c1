FROM debian
ENV a=${b
