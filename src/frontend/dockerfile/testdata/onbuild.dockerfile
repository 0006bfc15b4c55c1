FROM debian AS base
ENV MODE=hook
ONBUILD WORKDIR /usr/src/app
ONBUILD COPY . .
ONBUILD RUN make MODE=$MODE

FROM base
ENV OWN=1
CMD make test
