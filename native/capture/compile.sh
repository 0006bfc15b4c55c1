#!/bin/sh
# compile.sh COMPILER OUTPUT: one program. No libc, no build id, no times: the same compiler gives the same bytes.
set -eu
cd "$(dirname "$0")"
"$1" -std=c11 -Os -Wall -Wextra -Wshadow -Wconversion -Werror \
  -ffreestanding -nostdlib -static -fno-pie -no-pie -fno-stack-protector \
  -fno-asynchronous-unwind-tables -fno-ident -fno-tree-loop-distribute-patterns \
  -Wl,--gc-sections,--build-id=none,-z,noexecstack,-z,norelro,-z,noseparate-code \
  -s -o "$2" capture.c
