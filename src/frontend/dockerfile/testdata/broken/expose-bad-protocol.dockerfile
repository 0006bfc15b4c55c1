FROM debian
EXPOSE 80/quic
