#!/bin/sh
# Install shelf-agent on a Debian device, or bring an installed one up to date. Run it as root, from an unpacked release.
# Usage: install.sh [--prefix DIR] [--no-venv]
#   --prefix DIR   install below DIR instead of /, without a user and without telling systemd: a dry installation
#   --no-venv      leave the Python part as it is: only unit, example, documentation and command
# It never changes /etc/shelfwatch/agent.toml or broker-password once they are there.
set -eu
umask 022
here=$(cd "$(dirname "$0")/.." && pwd)
prefix="" venv=yes

while [ $# -gt 0 ]; do
  case $1 in
  --prefix)
    [ $# -ge 2 ] || { echo "--prefix needs a directory" >&2; exit 2; }
    mkdir -p "$2"
    prefix=$(cd "$2" && pwd)
    shift
    ;;
  --no-venv) venv=no ;;
  *)
    echo "usage: $0 [--prefix DIR] [--no-venv]" >&2
    exit 2
    ;;
  esac
  shift
done
if [ -z "$prefix" ] && [ "$(id -u)" -ne 0 ]; then
  echo "this changes the system: run it as root (sudo $0)" >&2
  exit 77
fi
opt=$prefix/opt/shelfwatch etc=$prefix/etc/shelfwatch state=$prefix/var/lib/shelfwatch

user() { # the agent's user, with access to cameras
  id shelfwatch >/dev/null 2>&1 || useradd --system --user-group --groups video --no-create-home \
    --home-dir /var/lib/shelfwatch --shell /usr/sbin/nologin shelfwatch
}

own() { # OWNER PATH: only where there is such a user
  [ -n "$prefix" ] || chown "$1" "$2"
}

python_part() { # a fresh environment beside the old one, taken into use only when it is complete
  next=venv-$(date +%Y%m%dT%H%M%S)
  python=${PYTHON:-/usr/bin/python3} # not one of a home, where the service could not reach it
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "shelf-agent needs Python 3.11 or newer. Install it: apt-get install python3 python3-venv" >&2
    exit 69
  fi
  "$python" -c 'import venv, ensurepip' 2>/dev/null || "$here/deploy/setup-system.sh" venv "$python"
  echo "setting up $opt/$next"
  "$python" -m venv "$opt/$next"
  "$opt/$next/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$here/deploy/lock/agent.txt"
  "$opt/$next/bin/pip" install --quiet --disable-pip-version-check --no-deps "$here"
  ln -sfn "$next" "$opt/venv.next"
  mv -T "$opt/venv.next" "$opt/venv"
}

configuration() { # the example with the paths of a device, and an empty password, where there are none yet
  if [ ! -e "$etc/agent.toml" ]; then
    sed -e 's#^bundle = .*#bundle = "/var/lib/shelfwatch/bundle"#' \
      -e 's#^path = "outbox.db".*#path = "/var/lib/shelfwatch/outbox.db"#' \
      "$here/deploy/agent.example.toml" >"$etc/agent.toml"
    chmod 0640 "$etc/agent.toml"
    own root:shelfwatch "$etc/agent.toml"
  fi
  if [ ! -e "$etc/broker-password" ]; then
    : >"$etc/broker-password"
    chmod 0640 "$etc/broker-password"
    own root:shelfwatch "$etc/broker-password"
  fi
}

launcher() { # for people: run by root, it sees what the service sees
  cat >"$prefix/usr/local/bin/shelf-agent" <<'END'
#!/bin/sh
# shelf-agent for people. Run by root, it works as the service does: as its user, with its configuration and password.
set -eu
agent=/opt/shelfwatch/venv/bin/shelf-agent
[ "$(id -u)" -eq 0 ] || exec "$agent" "$@"
exec runuser -u shelfwatch -- env SHELFWATCH_CONFIG="${SHELFWATCH_CONFIG:-/etc/shelfwatch/agent.toml}" \
  CREDENTIALS_DIRECTORY=/etc/shelfwatch "$agent" "$@"
END
  chmod 0755 "$prefix/usr/local/bin/shelf-agent"
}

[ -n "$prefix" ] || user
mkdir -p "$opt/docs" "$etc" "$prefix/etc/systemd/system" "$prefix/usr/local/bin"
install -d -m 0750 "$state"
own shelfwatch:shelfwatch "$state"
[ "$venv" = no ] || python_part
configuration
launcher
cp -R "$here/docs/." "$opt/docs/"
cp "$here/deploy/agent.example.toml" "$opt/"
install -m 0644 "$here/systemd/shelf-agent.service" "$prefix/etc/systemd/system/shelf-agent.service"
if [ -z "$prefix" ] && [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl try-restart shelf-agent
fi
if [ "$venv" = yes ]; then # only now nothing runs from it any more
  for old in "$opt"/venv-*; do
    [ "$old" = "$opt/$next" ] || rm -rf "$old"
  done
fi

cat <<'END'
shelf-agent is installed. Next, as root:
  1. copy the model bundle to /var/lib/shelfwatch/bundle, and describe the store in /etc/shelfwatch/agent.toml
     (the broker's password goes into /etc/shelfwatch/broker-password)
  2. shelf-agent check          says what is still wrong, and what to do about it
  3. systemctl enable --now shelf-agent
END
