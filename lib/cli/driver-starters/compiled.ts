import { source, type Starter } from './starter.js';

export const RUST: Starter = {
  title: 'Rust',
  runtime: { type: 'native_proc', executable_path: './target/release/driver', timeout_ms: 10_000 },
  files: new Map([
    [
      'Cargo.toml',
      source(`[package]
name = "driver"
version = "0.1.0"
edition = "2021"

[dependencies]
serde_json = "1"
`),
    ],
    [
      'src/main.rs',
      source(`//! {"name": "…"} -> {"greeting": "…"}. stderr is for people; exit status 0 means success.
use serde_json::{json, Value};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let payload: Value = serde_json::from_reader(std::io::stdin())?;
    let name = payload["name"].as_str().ok_or("the payload has no \\"name\\"")?;
    println!("{}", json!({ "greeting": format!("Hello, {name}.") }));
    Ok(())
}
`),
    ],
  ]),
  build: ['cargo build --release'],
  tryIt: `echo '{"name": "world"}' | ./target/release/driver`,
  notes: 'After a build the next call runs the new program; nothing needs to be restarted.',
};

export const GO: Starter = {
  title: 'Go',
  runtime: { type: 'native_proc', executable_path: './driver', timeout_ms: 10_000 },
  files: new Map([
    ['go.mod', source('module driver\n\ngo 1.19\n')],
    [
      'main.go',
      source(`// {"name": "…"} -> {"greeting": "…"}. stderr is for people; exit status 0 means success.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	var payload struct {
		Name string \`json:"name"\`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&payload); err != nil {
		fail(err)
	}
	result := map[string]string{"greeting": "Hello, " + payload.Name + "."}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "driver:", err)
	os.Exit(1)
}
`),
    ],
  ]),
  build: ['go build -o driver .'],
  tryIt: `echo '{"name": "world"}' | ./driver`,
  notes: 'After a build the next call runs the new program; nothing needs to be restarted.',
};

export const C_WASM: Starter = {
  title: 'C, as WebAssembly',
  runtime: {
    type: 'wasm',
    module_path: './driver.wasm',
    timeout_ms: 10_000,
    max_memory_bytes: 64 * 1024 * 1024,
  },
  files: new Map([
    [
      'driver.c',
      source(`/* Any payload -> {"received": payload, "bytes": n}. An ordinary C program: the payload is on stdin, the
   result goes to stdout, stderr is for people, exit status 0 means success. It has no files and no network. */
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  size_t room = 65536, length = 0, got;
  char *input = malloc(room);
  while (input != NULL && (got = fread(input + length, 1, room - length, stdin)) > 0) {
    length += got;
    if (length == room) input = realloc(input, room *= 2);
  }
  if (input == NULL) {
    fputs("driver: the payload does not fit into memory\\n", stderr);
    return 1;
  }
  printf("{\\"received\\": %.*s, \\"bytes\\": %zu}\\n", (int)length, input, length);
  return 0;
}
`),
    ],
  ]),
  build: ['clang --target=wasm32-wasi -Os -Wall -Wextra -o driver.wasm driver.c'],
  tryIt: `echo '{"name": "world"}' | node --no-warnings -e "
      const program = new (require('wasi').WASI)({ version: 'preview1' });
      WebAssembly.instantiate(require('fs').readFileSync('driver.wasm'), program.getImportObject())
        .then(({ instance }) => program.start(instance))"`,
  notes: `(Or, where it is installed, \`wasmtime driver.wasm\`.) On Debian the compiler is \`apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32\` (with the number of your clang). Any
language that builds for WASI preview 1 will do. The program runs in a sandbox: no files, no network, no more memory
than \`max_memory_bytes\`; its config is in the variable \`ACHERON_CALL_CONFIG\`.`,
};
