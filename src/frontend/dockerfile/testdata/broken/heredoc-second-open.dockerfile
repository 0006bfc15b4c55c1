FROM debian
RUN <<A cat <<B
A
x
