FROM debian
ARG s=a
COPY --from=$s x y
