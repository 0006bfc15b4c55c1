FROM debian
COPY x <<EOF
EOF
