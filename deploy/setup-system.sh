#!/bin/sh
# Install Debian packages that are missing. Usage: setup-system.sh venv PYTHON | test
# Without root it says what to install, and stops.
set -eu
missing=""

need() { # COMMAND-OR-FILE PACKAGE
  command -v "$1" >/dev/null 2>&1 || [ -e "$1" ] || missing="$missing $2"
}

case ${1:-} in
venv)
  version=$("$2" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
  missing=" $version"
  ;;
test)
  PATH="$PATH:/usr/sbin"
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
  need chromium chromium
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

[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
  echo "these packages are missing:$missing" >&2
  echo "install them and run this again: sudo apt-get install$missing" >&2
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
# shellcheck disable=SC2086
apt-get install -q -y --no-install-recommends "$@" $missing >/dev/null
# Debian starts a broker and InfluxDB by itself; the tests start their own
for service in mosquitto influxdb; do
  if [ -d /run/systemd/system ] && echo "$missing " | grep -q " $service "; then
    systemctl disable --now "$service" >/dev/null 2>&1 || true
  fi
done
