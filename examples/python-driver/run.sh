#!/bin/bash
# Runs the example from nothing, and leaves nothing behind.
set -eu
cd "$(dirname "$0")"
ACHERON_STATE_DIR=$(mktemp -d)
export ACHERON_STATE_DIR
trap 'acheron stop > /dev/null; rm -rf "$ACHERON_STATE_DIR"' EXIT

acheron node --node-name here --services-dir services --background > /dev/null
job=$(acheron invoke primes '{"below": 30}' --key first-try)
echo "$job"
# The same key is the same call: it is answered, and not run again.
acheron invoke primes '{"below": 30}' --key first-try > /dev/null
acheron cat /nodes/here/services/primes/metrics.json | grep invokes_total
