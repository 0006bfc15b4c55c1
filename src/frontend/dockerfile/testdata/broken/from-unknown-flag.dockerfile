FROM --platfrom=linux/amd64 debian
