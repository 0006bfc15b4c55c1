ARG tag=${NONE:?no tag}
FROM debian:$tag
