FROM debian
HEALTHCHECK --interval=1us CMD x
