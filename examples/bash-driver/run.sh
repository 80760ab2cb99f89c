#!/bin/bash
# Runs the example from nothing, and leaves nothing behind.
set -eu
cd "$(dirname "$0")"
ACHERON_STATE_DIR=$(mktemp -d)
export ACHERON_STATE_DIR
trap 'acheron stop > /dev/null; rm -rf "$ACHERON_STATE_DIR"' EXIT

acheron node --node-name here --services-dir services --background > /dev/null
acheron invoke word-lengths '{"text": "three short words"}'
acheron invoke word-lengths '{"text": 3}' || echo "refused, with exit status $?"
