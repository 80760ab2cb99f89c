#!/bin/sh
# disk-usage DIRECTORY: what takes the space in a directory, the largest entries first, as JSON.
#
# A driver in POSIX shell. It needs no JSON parser: the manifest hands over the one value it wants as an
# argument ("args": ["{payload.path}"]), which the node passes as one word, whatever is in it. What
# comes out is quoted by `quote` below, which holds for any file name: quotes, newlines, bytes that are
# not UTF-8. Entries on other filesystems, a FUSE mount among them, are not entered (du -x).
set -u
LC_ALL=C
export LC_ALL
cat >/dev/null # the payload itself is not needed, but whoever writes it must not meet a closed pipe

shown=100
directory=${1-}
case $directory in
  /*) ;;
  *) echo "disk-usage: the path must be absolute" >&2; exit 2 ;;
esac
if [ ! -d "$directory" ]; then echo "disk-usage: $directory is not a directory" >&2; exit 2; fi
if [ ! -r "$directory" ]; then echo "disk-usage: $directory cannot be read" >&2; exit 1; fi

# A JSON string of the text in $1. Bytes that are not UTF-8 become U+FFFD.
quote() {
  case $1 in
    *[!A-Za-z0-9./_-]*) ;;
    *) printf '"%s"' "$1"; return ;;
  esac
  TEXT=$1 awk '
    function tail(at, count,   i) { # are `count` continuation bytes at `at`?
      for (i = 0; i < count; i++) if (code[substr(text, at + i, 1)] - 128 >= 64 || code[substr(text, at + i, 1)] < 128) return 0
      return 1
    }
    BEGIN {
      for (i = 1; i < 256; i++) code[sprintf("%c", i)] = i
      text = ENVIRON["TEXT"]
      out = "\""
      for (at = 1; at <= length(text); at++) {
        letter = substr(text, at, 1); byte = code[letter]; second = code[substr(text, at + 1, 1)]
        if (letter == "\"" || letter == "\\") out = out "\\" letter
        else if (byte < 32 || byte == 127) out = out sprintf("\\u%04x", byte)
        else if (byte < 128) out = out letter
        else {
          more = byte >= 194 && byte <= 223 ? 1 : byte >= 224 && byte <= 239 ? 2 : byte >= 240 && byte <= 244 ? 3 : 0
          if ((byte == 224 && second < 160) || (byte == 237 && second >= 160) || (byte == 240 && second < 144) || (byte == 244 && second >= 144)) more = 0
          if (more > 0 && tail(at + 1, more)) { out = out substr(text, at, more + 1); at += more }
          else out = out "\\ufffd"
        }
      }
      printf "%s\"", out
    }'
}

cd "$directory" || exit 1
list=$(mktemp) || exit 1
trap 'rm -f "$list"' EXIT
trap 'echo "disk-usage: stopped" >&2; exit 143' TERM INT HUP

for entry in * .[!.]* ..?*; do
  [ -e "./$entry" ] || [ -L "./$entry" ] || continue
  echo "disk-usage: $entry" >&2
  kib=$(du -skx "./$entry" | awk 'NR == 1 { print $1 }')
  kind=other
  if [ -L "./$entry" ]; then kind=symlink; elif [ -d "./$entry" ]; then kind=directory; elif [ -f "./$entry" ]; then kind=file; fi
  printf '%s\t%s\t' "${kib:-0}" "$kind" >>"$list"
  quote "$entry" >>"$list"
  echo >>"$list"
done

printf '{"path":'
quote "$directory"
sort -rn "$list" | awk -F '\t' -v shown="$shown" '
  { total += $1 }
  NR <= shown { rows = rows (NR > 1 ? "," : "") sprintf("{\"name\":%s,\"kind\":\"%s\",\"bytes\":%.0f}", $3, $2, $1 * 1024) }
  END {
    printf ",\"bytes\":%.0f,\"entries\":%d,\"truncated\":%s,\"largest\":[", total * 1024, NR, (NR > shown ? "true" : "false")
    printf "%s]}\n", rows
  }'
