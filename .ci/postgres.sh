#!/bin/bash
# A throwaway PostgreSQL for the tests, one per checkout.
#   .ci/postgres.sh start [DIR]   install it where it is missing, start it; the last line printed is its URL
#   .ci/postgres.sh stop [DIR]    stop it and delete all it held
set -euo pipefail

checkout=$(cd "$(dirname "$0")/.." && pwd)
dir=${2:-${TMPDIR:-/tmp}/wardround-postgres-$(printf %s "$checkout" | cksum | cut -d ' ' -f 1)}

as_postgres() { # the server refuses to run as root
  if [ "$(id -u)" = 0 ]; then su postgres -s /bin/bash -c "$(printf '%q ' "$@")"; else "$@"; fi
}

binaries() { find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1 || true; }

install() {
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update && apt-get install -y --no-install-recommends postgresql; } >&2
}

stop() {
  if [ -d "$dir/data" ]; then
    as_postgres "$(binaries)/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1 || true # it may be down already
  fi
  rm -rf "$dir"
}

start() {
  stop
  [ -x "$(binaries)/initdb" ] || install
  local bin port
  bin=$(binaries)
  mkdir -p "$dir"
  if [ "$(id -u)" = 0 ]; then chown postgres "$dir"; fi
  cd "$dir"
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  as_postgres "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
  as_postgres "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w \
    -o "-p $port -k $dir -c listen_addresses=127.0.0.1 -c fsync=off" start >/dev/null || { cat "$dir/log" >&2; exit 1; }
  echo "postgresql://postgres@127.0.0.1:$port/postgres"
}

case "${1:-}" in
  start) start ;;
  stop) stop ;;
  *) sed -n '2,4s/^# //p' "$0" >&2; exit 2 ;;
esac
