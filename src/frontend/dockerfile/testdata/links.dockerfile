FROM debian AS build
RUN make

FROM debian
RUN before
COPY --link --from=build --chown=10:20 /out /app/
COPY --link --chmod=755 script /bin/
COPY --parents --exclude=**/*.test.ts packages/./**/*.ts docs/*.md /src/
ADD --link --unpack=false data.tar.gz /data/
COPY --link <<one <<two /etc/
1
one
2
two
