FROM debian
COPY --link=perhaps x y
