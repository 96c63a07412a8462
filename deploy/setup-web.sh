#!/bin/sh
# Install what npm brings for the tests, as locked: setup-web.sh. It goes to build/web/, and is kept there.
set -eu
cd "$(dirname "$0")/.."
for from in deploy/overview tests/web; do
  into=build/web/$(basename "$from")
  if [ -e "$into/ready" ] && cmp -s "$from/package-lock.json" "$into/package-lock.json"; then
    continue
  fi
  command -v npm >/dev/null 2>&1 || { echo "npm is missing: run deploy/setup-system.sh test" >&2; exit 69; }
  mkdir -p "$into"
  rm -f "$into/ready"
  cp "$from/package.json" "$from/package-lock.json" "$into/"
  echo "installing $from/package-lock.json into $into"
  if ! (cd "$into" && npm ci --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error >npm.log 2>&1); then
    cat "$into/npm.log" >&2
    echo "npm could not install $from/package-lock.json. If the registry cannot be reached, see: npm config get registry" >&2
    exit 69
  fi
  touch "$into/ready"
done
