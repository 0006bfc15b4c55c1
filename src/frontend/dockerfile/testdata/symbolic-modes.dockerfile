FROM debian
COPY --chown=1000 --chmod=u=rwX,go=rX a /a
COPY --chown=app:staff b c d/
ADD --chmod=1777 e f* /g/
WORKDIR /
WORKDIR /h
COPY i .
COPY j ./k
