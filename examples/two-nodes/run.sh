#!/bin/bash
# A control plane and two nodes, as on three machines, and a call to each; leaves nothing behind.
set -eu
cd "$(dirname "$0")"
dir=$(mktemp -d)
trap 'for each in left right plane; do acheron stop --state-dir "$dir/$each" > /dev/null; done; rm -rf "$dir"' EXIT

acheron control --state-dir "$dir/plane" --port 0 --background > "$dir/said"
url=$(grep -o 'ws://[0-9.:]*[0-9]' "$dir/said")
for each in left right; do
  (umask 077 && acheron invite create --state-dir "$dir/plane" > "$dir/invite") 2> /dev/null
  acheron node --node-name "$each" --services-dir services --state-dir "$dir/$each" \
    --control-url "$url" --invite-token-file "$dir/invite" --background > /dev/null
done

admin=(--control-url "$url" --token-file "$dir/plane/admin.token")
acheron ls /nodes/left/services "${admin[@]}"
acheron invoke left/who '{}' "${admin[@]}"
acheron invoke right/who '{}' "${admin[@]}"
