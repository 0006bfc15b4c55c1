FROM debian
COPY --from=7 x y
