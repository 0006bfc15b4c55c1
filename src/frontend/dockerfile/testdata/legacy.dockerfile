FROM debian
MAINTAINER Somebody <somebody@example.test>
ENV LANG C.UTF-8
LABEL vendor The Vendor
ADD https.tar.gz files/* /opt/
ENTRYPOINT /opt/run
