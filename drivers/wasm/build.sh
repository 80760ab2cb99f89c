#!/bin/sh
# Builds the WASI drivers. On Debian: apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32
set -eu
cd "$(dirname "$0")"
for source in *.c; do
  clang --target=wasm32-wasi -Os -Wall -Wextra -flto -Wl,--strip-all -o "${source%.c}.wasm" "$source"
  echo "${source%.c}.wasm: $(wc -c <"${source%.c}.wasm") bytes"
done
