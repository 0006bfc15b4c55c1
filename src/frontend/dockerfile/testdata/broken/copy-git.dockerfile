FROM debian
COPY git@h:a.git /a
