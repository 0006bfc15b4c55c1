ARG BASE=debian
ARG SUFFIX=latest
FROM ${BASE}:${SUFFIX}
ARG SUFFIX
ARG A=1 B="two words" C
ENV B=env D=$A-$B
ARG B=arg
RUN echo $A $B $C $D
ARG A=${A}x
RUN echo "$A"
LABEL suffix=$SUFFIX
