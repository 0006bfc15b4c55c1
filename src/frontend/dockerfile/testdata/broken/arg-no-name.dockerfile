FROM debian
ARG =a
