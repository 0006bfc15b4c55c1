FROM debian
ARG FILE=/usr/local/lib/archive.tar.gz
ENV BASE=${FILE##*/} DIR=${FILE%/*} NAME=${FILE%%.*} EXT=${FILE#*.}
ENV SWAP=${FILE/local/share} ALL=${FILE//\//:} DEF=${NONE:-"a b"} ALT=${FILE:+set} EMPTY=${NONE}
ENV SINGLE='$FILE' DOUBLE="$FILE" ESCAPED=\$FILE
WORKDIR $DIR
COPY ${BASE} ${DIR}/
USER ${RUN_AS:-nobody}
