FROM debian
ADD --checksum=sha256:00 https://h/a https://h/b /x/
