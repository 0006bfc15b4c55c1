FROM debian
COPY --link --chown=app a /a
