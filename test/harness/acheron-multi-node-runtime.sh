#!/usr/bin/env bash
# Tries a control plane with two nodes and two mounts, as people use them. See docs/MULTI_NODE_RUNTIME_HARNESS.md.
set -euo pipefail
umask 077 # secrets in files are for us alone
usage="usage: ${0##*/} [--deadline SECONDS]   (default 300: all of it ends by then, well or not)"
deadline=300
while [ $# -gt 0 ]; do
  case $1 in
    --deadline) deadline=${2:-} && shift $(($# > 1 ? 2 : 1)) ;;
    --deadline=*) deadline=${1#*=} && shift ;;
    -h | --help) echo "$usage" && exit 0 ;;
    *) echo "$usage" >&2 && exit 2 ;;
  esac
done
case $deadline in '' | *[!0-9]*) echo "$usage" >&2 && exit 2 ;; esac
top=$(cd "$(dirname "$0")/../.." && pwd)
acheron=${ACHERON:-"node $top/dist/bin/acheron.js"}
home=$(mktemp -d "${TMPDIR:-/tmp}/acheron-harness.XXXXXX")
mnt=$home/mnt
user=$home/user
passed=0
pids=()
PATH=$PATH:/usr/sbin:/sbin
net=acheron-$$ # the namespaces' names begin with it
places=(control n1 n2 mounts)
separate=
here=127.0.0.1
secure=()
trust=()
export ACHERON_RECONNECT_BACKOFF_MS=20 ACHERON_RECONNECT_BACKOFF_MAX_MS=200 NO_COLOR=1

finish() {
  status=$?
  for dir in "$mnt" "$user"; do $acheron unmount "$dir" >/dev/null 2>&1 || true; done
  for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  for place in "${places[@]}"; do ip netns del "$net-$place" 2>/dev/null || true; done
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
# Waits for a command to succeed, until all time is over, or a process that is meant to run has ended.
await() {
  local what=$1 pid
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt "$deadline" ] || fail "$what did not come about within $deadline s of the start (see --deadline)"
    for pid in ${pids[@]+"${pids[@]}"}; do
      kill -0 "$pid" 2>/dev/null || fail "a process ended before this came about: $what"
    done
    sleep 0.1
  done
}
# Networks of their own, joined by a bridge where the control plane is: all of it goes with the namespaces.
separate_networks() {
  local place number=10
  for place in "${places[@]}"; do
    ip netns add "$net-$place"
    ip -n "$net-$place" link set lo up
  done
  ip -n "$net-control" link add bridge type bridge
  ip -n "$net-control" addr add 10.77.0.1/24 dev bridge
  ip -n "$net-control" link set bridge up
  for place in n1 n2 mounts; do
    number=$((number + 1))
    ip -n "$net-control" link add "$place" type veth peer name wire netns "$net-$place"
    ip -n "$net-control" link set "$place" master bridge up
    ip -n "$net-$place" addr add "10.77.0.$number/24" dev wire
    ip -n "$net-$place" link set wire up
  done
}
can_separate() {
  [ "${ACHERON_HARNESS_NETNS:-yes}" = yes ] && [ -z "${CONTROL_URL:-}" ] && [ "$(id -u)" = 0 ] &&
    command -v ip nsenter openssl >/dev/null && ip netns add "$net-try" 2>/dev/null && ip netns del "$net-try"
}
place_of() { case $1 in mount | user) echo mounts ;; *) echo "$1" ;; esac; }
start() { # name, then the command: in the background, with a log
  local name=$1 into=()
  shift
  # By nsenter, not by ip netns exec, which would hide the mounts in a mount namespace.
  [ -z "$separate" ] || into=(nsenter "--net=/run/netns/$net-$(place_of "$name")")
  ${into[@]+"${into[@]}"} $acheron "$@" >>"$home/$name.log" 2>&1 &
  started=$!
  pids+=("$started")
}
kill_hard() { # a process that we started
  local pid left=()
  kill -9 "$1"
  wait "$1" 2>/dev/null || true
  for pid in "${pids[@]}"; do [ "$pid" = "$1" ] || left+=("$pid"); done
  pids=(${left[@]+"${left[@]}"})
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
    --control-url "$url" ${trust[@]+"${trust[@]}"} "$@"
}
run_control() { # the port
  start control control --host "$here" --port "$1" --state-dir "$home/control" --offline-grace-ms 100 \
    ${secure[@]+"${secure[@]}"}
}
call() { echo "$3" >"$mnt/nodes/$1/services/$2/control/invoke.json"; }
has() { grep -q -- "$1" "$2"; }

for name in n1 n2; do mkdir -p "$home/$name/services"; manifest $name greet 1 '["admin", "user"]'; done
manifest n1 private 1 '["admin"]'

if can_separate; then
  separate_networks
  separate=yes here=10.77.0.1
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=acheron-harness \
    -addext "subjectAltName=IP:$here" -keyout "$home/key.pem" -out "$home/cert.pem" 2>/dev/null
  secure=(--tls-cert "$home/cert.pem" --tls-key "$home/key.pem")
  trust=(--tls-ca "$home/cert.pem")
  ok "the control plane, the nodes and the mounts are in networks of their own"
fi

if [ -n "${CONTROL_URL:-}" ]; then
  url=$CONTROL_URL admin_token=${ADMIN_TOKEN_FILE:?} user_token=${USER_TOKEN_FILE:?} control=
  ok "a control plane is there: $url"
else
  run_control 0
  control=$started
  await "the control plane" has listens "$home/control.log"
  url=$(grep -o 'wss\?://[0-9.:]*[0-9]' "$home/control.log" | head -1)
  admin_token=$home/control/admin.token user_token=$home/control/user.token
  ok "the control plane listens on $url"
fi

mkdir "$mnt" "$user"
for who in mount user; do
  dir=$mnt token=$admin_token
  [ $who = mount ] || dir=$user token=$user_token
  start $who mount "$dir" --control-url "$url" --token-file "$token" --state-dir "$home/$who-state" \
    ${trust[@]+"${trust[@]}"}
done
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
[ -z "$separate" ] || has '"address": ".*10.77.0.12"' "$mnt/control/pairing/pending.json" || fail "the address of n2"
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
kill_hard "$n1"
await "n1 to be offline" has '"state": "offline"' "$mnt/nodes/n1/STATUS.json"
has greet "$mnt/nodes/n1/services/greet/SERVICE.json" || fail "descriptors of a node that is away"
! call n1 greet '{}' 2>/dev/null || fail "a node that is away was invoked"
ok "n1 is away: its descriptors can be read, and calls fail at once"
run_node n1
await "n1 to return" online n1
has kept "$mnt/nodes/n1/services/greet/config.json" || fail "the config was not kept"
call n1 greet '{"again": true}'
ok "n1 was killed and returned: no remount, and its config was kept"

if [ -n "$separate" ]; then
  ip -n "$net-control" link set n1 down
  await "descriptors of a node whose line is cut" has greet "$mnt/nodes/n1/services/greet/SERVICE.json"
  ip -n "$net-control" link set n1 up
  await "a call of n1 over its line" call n1 greet '{"line": "mended"}'
  has mended "$mnt/nodes/n1/services/greet/result.json" || fail "the result over the mended line"
  ok "the line to n1 was cut and mended: its descriptors could be read meanwhile, and calls go through again"
fi

if [ -n "$control" ]; then
  kill_hard "$control"
  ! call n1 greet '{}' 2>/dev/null || fail "invoked without a control plane"
  run_control "${url##*:}"
  await "n1 to come back" online n1
  await "n2 to come back" online n2
  call n1 greet '{}' && call n2 greet '{}'
  ok "the control plane was killed and returned: nodes and mounts came back by themselves"
fi
echo "1..$passed"
