#!/bin/sh
# compile.sh COMPILER OUTPUT: one launcher. No libc, no build id, no times: the same compiler gives the same bytes.
set -eu
cd "$(dirname "$0")"
"$1" -std=c11 -Os -Wall -Wextra -Wshadow -Wconversion -Werror \
  -ffreestanding -nostdlib -static -fno-pie -no-pie \
  -fstack-protector-strong -mstack-protector-guard=global \
  -fno-asynchronous-unwind-tables -fno-ident -fno-tree-loop-distribute-patterns \
  -ffunction-sections -fdata-sections -Wl,--gc-sections,--build-id=none,-z,noexecstack,-z,norelro \
  -s -o "$2" src/*.c
