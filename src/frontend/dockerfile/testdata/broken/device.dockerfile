FROM debian
RUN --device=vendor.example/gpu x
