FROM debian
COPY --chmod=u=rq x y
