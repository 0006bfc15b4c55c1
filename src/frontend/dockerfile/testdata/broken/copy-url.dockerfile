FROM debian
COPY https://h/a /a
