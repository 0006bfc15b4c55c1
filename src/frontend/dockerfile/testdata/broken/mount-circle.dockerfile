FROM debian AS a
RUN --mount=from=b,target=/a x
FROM debian AS b
COPY --from=a x y
