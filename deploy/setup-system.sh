#!/bin/sh
# Install Debian packages that are missing: setup-system.sh venv PYTHON | test [PYTHON]
# Without root it says what to install, and stops; so it does where a package does not exist.
set -eu
missing=""

need() { # COMMAND-OR-FILE PACKAGE
  command -v "$1" >/dev/null 2>&1 || [ -e "$1" ] || missing="$missing $2"
}

need_venv() { # PYTHON
  if ! command -v "$1" >/dev/null 2>&1; then
    missing="$missing python3-venv"
  elif ! "$1" -c 'import venv, ensurepip' 2>/dev/null; then
    missing="$missing $("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
  fi
}

need_browser() { # the first of these that is there is taken: see benchmarks/browser.py
  for browser in "${CHROMIUM:-}" chromium google-chrome google-chrome-stable; do
    command -v "$browser" >/dev/null 2>&1 && return
  done
  if grep -qs '^ID=ubuntu' /etc/os-release; then
    echo "Ubuntu has Chromium as a snap only. Install Google Chrome (https://www.google.com/chrome/), or name a browser:" >&2
    echo "CHROMIUM=/path/to/chromium make test" >&2
    exit 69
  fi
  missing="$missing chromium"
}

need_node() { # Node-RED's packages are locked at versions that want it
  node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 18 || (a == 18 && b >= 5) ? 0 : 1)' && return
  echo "Node.js is $(node --version); the tests need 18.5 or newer. Install one from https://nodejs.org, first in PATH." >&2
  exit 69
}

mode=${1:-}
case $mode in
venv)
  need_venv "$2"
  ;;
test)
  PATH="$PATH:/usr/sbin"
  if [ -n "${2:-}" ]; then
    need_venv "$(command -v "$2" || echo python3)"
  fi
  need mosquitto mosquitto
  need mosquitto_sub mosquitto-clients
  need systemd-analyze systemd
  need systemd-nspawn systemd-container
  need debootstrap debootstrap
  need gcc gcc
  need /usr/include/stdlib.h libc6-dev
  need openssl openssl
  need influxd influxdb
  need node nodejs
  need npm npm
  need_browser
  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
  need /usr/share/doc/gir1.2-gst-rtsp-server-1.0 gir1.2-gst-rtsp-server-1.0
  need /usr/lib/python3/dist-packages/gi python3-gi
  need /usr/share/doc/gstreamer1.0-plugins-base gstreamer1.0-plugins-base
  need /usr/share/doc/gstreamer1.0-plugins-good gstreamer1.0-plugins-good
  need /usr/share/doc/gstreamer1.0-plugins-ugly gstreamer1.0-plugins-ugly
  ;;
*)
  echo "usage: $0 venv PYTHON | test" >&2
  exit 2
  ;;
esac

if [ -z "$missing" ]; then
  [ "$mode" = venv ] || need_node
  exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "these packages are missing:$missing" >&2
  echo "install them and run this again: sudo apt-get install --no-install-recommends$missing" >&2
  exit 69
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
# Debian makes and starts a database by itself; the tests make their own
if echo "$missing" | grep -q " postgresql" && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
  mkdir -p /etc/postgresql-common
  echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
  set -- -o Dpkg::Options::=--force-confold
else
  set --
fi
apt-get update -q >/dev/null
nowhere=""
for package in $missing; do
  apt-cache show "$package" >/dev/null 2>&1 || nowhere="$nowhere $package"
done
if [ -n "$nowhere" ]; then
  echo "this system has no package$nowhere; nothing was installed." >&2
  echo "Is every component switched on (Debian: main; Ubuntu: universe too)?" >&2
  exit 69
fi
# shellcheck disable=SC2086
apt-get install -q -y --no-install-recommends "$@" $missing >/dev/null
# Debian starts a broker and InfluxDB by itself; the tests start their own
for service in mosquitto influxdb; do
  if [ -d /run/systemd/system ] && echo "$missing " | grep -q " $service "; then
    systemctl disable --now "$service" >/dev/null 2>&1 || true
  fi
done
[ "$mode" = venv ] || need_node
