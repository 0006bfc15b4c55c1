FROM debian
RUN --mount=type=cache,traget=/a x
