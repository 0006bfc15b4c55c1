# escape=/
FROM debian
