FROM debian
RUN --mount=type=tmpfs,target=/ x
