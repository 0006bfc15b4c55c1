FROM debian AS a
RUN --mount=from=c,target=/a x
FROM debian AS c
FROM a
COPY --from=c x y
