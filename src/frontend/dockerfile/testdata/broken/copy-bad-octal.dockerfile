FROM debian
COPY --chmod=77777 x y
