FROM debian
VOLUME ["/var/lib/data", "/logs"]
VOLUME /cache /tmp/x
EXPOSE 80 443/tcp 53/udp 8000-8003
EXPOSE 443 9000/SCTP
USER www-data:www-data
WORKDIR /srv
WORKDIR www
RUN touch index.html
