FROM debian
COPY x
