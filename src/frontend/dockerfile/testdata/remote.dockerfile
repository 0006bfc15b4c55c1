FROM scratch
ARG VERSION=v1.2
ADD --checksum=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 https://h.example/a/b.tgz?x=1 /dl/
ADD --unpack --chown=5 https://h.example/tree.tar.xz /tree/
ADD --keep-git-dir=true --checksum=0123456 https://h.example/repo.git#${VERSION}:docs /docs
ADD --exclude=*.md git@h.example:team/repo.git?tag=v1&submodules=false local https://h.example/ /all/
