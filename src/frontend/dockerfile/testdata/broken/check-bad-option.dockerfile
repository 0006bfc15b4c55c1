# check=skp=all
FROM debian
