FROM debian
COPY --chown x y
