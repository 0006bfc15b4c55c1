FROM debian
ENV a=ÿþ
