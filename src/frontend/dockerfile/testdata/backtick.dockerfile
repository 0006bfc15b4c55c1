# escape=`
FROM debian
ENV DIR="C:\dir" ESC=`$HOME
RUN echo a `
    && echo b
WORKDIR /a`
b
