FROM debian
RUN <<EOF
x
