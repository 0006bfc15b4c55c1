FROM debian
ENV =a
