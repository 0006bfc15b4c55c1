# A comment first ends the directives.
# escape=`
FROM debian

# install
RUN apt-get update && \
    # what we need
    apt-get install -y \
      curl \

      git \
    && rm -rf /var/lib/apt/lists/*
# the end
