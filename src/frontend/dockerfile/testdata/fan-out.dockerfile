FROM debian AS deps
RUN install deps

FROM deps AS lint
COPY src /src
RUN lint

FROM deps AS build
COPY src /src
RUN build

FROM deps AS unused
RUN never

FROM debian
COPY --from=lint /report /report
COPY --from=build /out/ /opt/
COPY --from=2 /log /log
