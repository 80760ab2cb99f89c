#!/usr/bin/env bash
# Tries a control plane with two nodes and two mounts, as people use them. See docs/MULTI_NODE_RUNTIME_HARNESS.md.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
acheron=${ACHERON:-"node $top/dist/bin/acheron.js"}
home=$(mktemp -d "${TMPDIR:-/tmp}/acheron-harness.XXXXXX")
mnt=$home/mnt
user=$home/user
passed=0
pids=()
export ACHERON_RECONNECT_BACKOFF_MS=20 ACHERON_RECONNECT_BACKOFF_MAX_MS=200 NO_COLOR=1

finish() {
  status=$?
  for dir in "$mnt" "$user"; do $acheron unmount "$dir" >/dev/null 2>&1 || true; done
  for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  if [ $status -ne 0 ]; then
    echo "not ok: see what the processes said:"
    tail -n 20 "$home"/*.log 2>/dev/null || true
  fi
  rm -rf "$home"
  exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

ok() { passed=$((passed + 1)); echo "ok $passed - $1"; }
fail() { echo "not ok - $1" >&2; exit 1; }
# Waits up to 30 s for a command to succeed.
await() {
  local what=$1 until=$((SECONDS + 30))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $until ] || fail "$what did not come about"
    sleep 0.1
  done
}
start() { # name, then the command: in the background, with a log
  local name=$1
  shift
  $acheron "$@" >>"$home/$name.log" 2>&1 &
  started=$!
  pids+=("$started")
}
manifest() { # node, service, version, roles
  cat >"$home/$1/services/.$2.new" <<JSON
{"service_id": "$2", "kind": "harness", "version": "$3",
 "runtime": {"type": "native_proc", "executable_path": "sh", "args": ["-c", "printf '{\"node\":\"$1\",\"got\":%s}' \"\$(cat)\""]},
 "permissions": {"allow_roles": $4}}
JSON
  mv "$home/$1/services/.$2.new" "$home/$1/services/$2.json"
}
online() { grep -A3 "\"node_id\": \"$1\"" "$mnt/nodes/NODES.json" | grep -q '"state": "online"'; }
run_node() { # name, then further options
  local name=$1
  shift
  start "$name" node --node-name "$name" --state-dir "$home/$name/state" --services-dir "$home/$name/services" \
    --control-url "$url" "$@"
}
call() { echo "$3" >"$mnt/nodes/$1/services/$2/control/invoke.json"; }
has() { grep -q -- "$1" "$2"; }

for name in n1 n2; do mkdir -p "$home/$name/services"; manifest $name greet 1 '["admin", "user"]'; done
manifest n1 private 1 '["admin"]'

if [ -n "${CONTROL_URL:-}" ]; then
  url=$CONTROL_URL admin_token=${ADMIN_TOKEN_FILE:?} user_token=${USER_TOKEN_FILE:?} control=
  ok "a control plane is there: $url"
else
  start control control --port 0 --state-dir "$home/control" --offline-grace-ms 100
  control=$started
  await "the control plane" has listens "$home/control.log"
  url=$(grep -o 'ws://[0-9.:]*[0-9]' "$home/control.log" | head -1)
  admin_token=$home/control/admin.token user_token=$home/control/user.token
  ok "the control plane listens on $url"
fi

mkdir "$mnt" "$user"
start mount mount "$mnt" --control-url "$url" --token-file "$admin_token" --state-dir "$home/mount-state"
start user mount "$user" --control-url "$url" --token-file "$user_token" --state-dir "$home/user-state"
await "the admin's mount" has Mounted "$home/mount.log"
await "the user's mount" has Mounted "$home/user.log"
ok "an admin and a user have mounted it"

echo '{"ttl_ms": 60000}' >"$mnt/control/pairing/invites/create.json"
sed -n 's/.*"invite_token": "\(.*\)".*/\1/p' "$mnt/control/pairing/last_result.json" >"$home/invite"
run_node n1 --pair-mode invite --invite-token-file "$home/invite"
n1=$started
await "n1" online n1
ok "n1 paired by an invite"

run_node n2 --pair-mode request
await "the request of n2" has request_id "$mnt/control/pairing/pending.json"
request=$(sed -n 's/.*"request_id": "\(.*\)".*/\1/p' "$mnt/control/pairing/pending.json" | head -1)
echo "{\"request_id\": \"$request\"}" >"$mnt/control/pairing/approve.json"
await "n2" online n2
ok "n2 paired by a request that an admin approved"

for name in n1 n2; do
  await "the services of $name" has '"greet"' "$mnt/nodes/$name/services/SERVICES.json"
  call $name greet "{\"to\": \"$name\"}"
  has "\"node\": \"$name\"" "$mnt/nodes/$name/services/greet/result.json" || fail "the result of $name"
done
ok "the services of both nodes are discovered and invoked from one mount"

[ -d "$mnt/nodes/n1/services/private" ] || fail "the admin does not see private"
[ ! -e "$user/nodes/n1/services/private" ] || fail "the user sees private"
[ -d "$mnt/control" ] && [ ! -e "$user/control" ] || fail "control/ is for admins"
! has private "$user/nodes/n1/services/SERVICES.json" || fail "the user's index names private"
! has private "$user/events.ndjson" || fail "the user's events name private"
ok "two roles have two views"

manifest n1 greet 2 '["admin", "user"]'
await "the new version" has '"version": "2"' "$mnt/nodes/n1/services/greet/SERVICE.json"
manifest n1 extra 1 '["admin", "user"]'
await "the new service" test -d "$user/nodes/n1/services/extra"
ok "a changed and an added manifest reach the mounts"

echo '{"greeting": "kept"}' >"$mnt/nodes/n1/services/greet/config.json"
kill -9 "$n1"
wait "$n1" 2>/dev/null || true
await "n1 to be offline" has '"state": "offline"' "$mnt/nodes/n1/STATUS.json"
has greet "$mnt/nodes/n1/services/greet/SERVICE.json" || fail "descriptors of a node that is away"
! call n1 greet '{}' 2>/dev/null || fail "a node that is away was invoked"
ok "n1 is away: its descriptors can be read, and calls fail at once"
run_node n1
await "n1 to return" online n1
has kept "$mnt/nodes/n1/services/greet/config.json" || fail "the config was not kept"
call n1 greet '{"again": true}'
ok "n1 was killed and returned: no remount, and its config was kept"

if [ -n "$control" ]; then
  kill -9 "$control"
  wait "$control" 2>/dev/null || true
  ! call n1 greet '{}' 2>/dev/null || fail "invoked without a control plane"
  start control control --port "${url##*:}" --state-dir "$home/control" --offline-grace-ms 100
  await "n1 to come back" online n1
  await "n2 to come back" online n2
  call n1 greet '{}' && call n2 greet '{}'
  ok "the control plane was killed and returned: nodes and mounts came back by themselves"
fi
echo "1..$passed"
