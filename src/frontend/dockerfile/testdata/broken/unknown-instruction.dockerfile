FROM debian
INSTALL git
