FROM debian
ADD --checksum=sha1:00 https://h/a /a
