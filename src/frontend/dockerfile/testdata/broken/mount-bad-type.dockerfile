FROM debian
RUN --mount=type=cach,target=/a x
