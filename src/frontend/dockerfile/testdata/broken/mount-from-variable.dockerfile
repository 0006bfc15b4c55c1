FROM debian
ARG s
RUN --mount=from=$s,target=/a x
