FROM debian
RUN --mount=type=secret,id=a,from=b x
