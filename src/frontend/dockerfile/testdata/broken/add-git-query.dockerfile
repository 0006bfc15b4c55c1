FROM debian
ADD https://h/a.git?depth=1 /a
