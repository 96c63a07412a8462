#!/bin/sh
# Install shelf-agent on a Debian device, bring it up to date, go back to the release before, or remove it. Run it as root.
# Usage: install.sh [install | upgrade | rollback | uninstall [--purge]] [--prefix DIR] [--no-venv]
#   install        from an unpacked release (without a word, this); again, or with a newer one: an update
#   upgrade        the same, but only where shelf-agent is installed
#   rollback       to the release before. It is kept until the next update, so this needs no network
#   uninstall      keeps configuration, secrets, model and outbox; with --purge nothing stays
#   --prefix DIR   below DIR instead of /, without a user and without telling systemd: a dry installation
#   --no-venv      leave the Python part as it is: only units, example, documentation and command
# It never changes what is in /etc/shelfwatch already. Installed releases have it too: /opt/shelfwatch/current/deploy.
set -eu
umask 022
here=$(cd "$(dirname "$0")/.." && pwd)
prefix="" venv=yes what="" purge=no

usage() {
  sed -n '3s/^# U/u/p' "$0" >&2
  exit 2
}

while [ $# -gt 0 ]; do
  case $1 in
  --prefix)
    [ $# -ge 2 ] || { echo "--prefix needs a directory" >&2; exit 2; }
    mkdir -p "$2"
    prefix=$(cd "$2" && pwd)
    shift
    ;;
  --no-venv) venv=no ;;
  --purge) purge=yes ;;
  install | upgrade | rollback | uninstall)
    [ -z "$what" ] || usage
    what=$1
    ;;
  *) usage ;;
  esac
  shift
done
what=${what:-install}
[ "$purge" = no ] || [ "$what" = uninstall ] || usage
if [ -z "$prefix" ] && [ "$(id -u)" -ne 0 ]; then
  echo "this changes the system: run it as root (sudo $0)" >&2
  exit 77
fi
# shellcheck source=deploy/release.sh
. "$here/deploy/release.sh"
if [ "$what" != rollback ] && [ -d "$prefix/usr/share/shelf-agent" ]; then
  echo "shelf-agent was installed as a package here: use apt install ./shelf-agent_….deb, apt remove or apt purge" >&2
  exit 69
fi

case $what in
rollback) roll_back ;;
uninstall)
  remove_releases
  [ "$purge" = no ] || purge
  ;;
upgrade | install)
  if [ "$what" = upgrade ] && [ ! -e "$opt/current" ]; then
    echo "shelf-agent is not installed here: run $0 install" >&2
    exit 66
  fi
  if [ "$(dirname "$(cd "$here" && pwd -P)")" = "$opt" ]; then
    echo "this is the installed release: unpack another one, and run its deploy/install.sh" >&2
    exit 66
  fi
  install_release "$here" "$venv"
  cat <<'END_OF_STEPS'
shelf-agent is installed. Next, as root:
  1. copy the model bundle to /var/lib/shelfwatch/bundle, and describe the store in /etc/shelfwatch/agent.toml
     (the broker's password goes into /etc/shelfwatch/broker-password)
  2. shelf-agent check          says what is still wrong, and what to do about it
  3. systemctl enable --now shelf-agent
END_OF_STEPS
  ;;
esac
