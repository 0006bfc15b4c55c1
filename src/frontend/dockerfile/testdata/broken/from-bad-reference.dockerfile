FROM Debian:
