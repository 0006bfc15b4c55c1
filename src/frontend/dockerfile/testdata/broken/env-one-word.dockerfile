FROM debian
ENV a
