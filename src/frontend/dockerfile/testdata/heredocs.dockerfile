FROM debian
ENV NAME=world
RUN <<EOF
set -e
echo "hello $NAME"
EOF
RUN <<-'SCRIPT'
	#!/usr/bin/env python3
	print("hello")
	SCRIPT
RUN cat <<ONE > /one && cat <<TWO > /two
1
ONE
2
TWO
COPY <<-nginx.conf <<"robots.txt" /etc/site/
	server_name $NAME;
	nginx.conf
Disallow: $NAME
robots.txt
