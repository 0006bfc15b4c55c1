FROM debian
RUN --security=none x
