FROM debian
RUN --network=bridge x
