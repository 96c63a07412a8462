# A release on a device: its files, its environment, the link `current`, and how all of that goes again.
# Shared by install.sh and the Debian package's scripts, which set $prefix ("" for this system) and read this file.
#
# /opt/shelfwatch/<version>/   venv, docs, deploy, systemd, the example: all that a release needs, so that going back works
#                 current      link to the release in use; previous: to the one before it
# /etc/shelfwatch, /var/lib/shelfwatch: configuration, secrets, model and outbox, which a release only adds to.

opt=$prefix/opt/shelfwatch etc=$prefix/etc/shelfwatch state=$prefix/var/lib/shelfwatch
units=$prefix/etc/systemd/system

live() { # whether this system is the one that is changed, and is running
  [ -z "$prefix" ] && [ -d /run/systemd/system ]
}

own() { # OWNER PATH: only where there is such a user
  [ -n "$prefix" ] || chown "$1" "$2"
}

link() { # TARGET NAME: a link below /opt/shelfwatch, exchanged in one step
  ln -sfn "$1" "$opt/$2.next"
  mv -T "$opt/$2.next" "$opt/$2"
}

version_of() { # SOURCE: an unpacked release, or the package's files
  if [ -f "$1/VERSION" ]; then
    cat "$1/VERSION"
  elif [ -f "$1/pyproject.toml" ]; then
    sed -n 's/^version = "\(.*\)"$/\1/p' "$1/pyproject.toml"
  else
    echo "$1 is no release: unpack one, and run its deploy/install.sh" >&2
    return 66
  fi
}

install_release() { # SOURCE [no]: all of it; "no" leaves the environment as it is
  version=$(version_of "$1")
  [ -n "$prefix" ] || agent_user
  mkdir -p "$opt/$version" "$etc" "$units" "$prefix/usr/local/bin"
  install -d -m 0750 "$state"
  own shelfwatch:shelfwatch "$state"
  [ "${2:-yes}" = no ] || environment "$1" "$opt/$version"
  files "$1" "$opt/$version"
  configuration "$opt/$version/agent.example.toml"
  activate "$version"
  prune
}

agent_user() { # with access to cameras
  id shelfwatch >/dev/null 2>&1 || useradd --system --user-group --groups video --no-create-home \
    --home-dir /var/lib/shelfwatch --shell /usr/sbin/nologin shelfwatch
}

environment() { # SOURCE RELEASE: a fresh one beside the old one, taken into use only when it is complete
  python=${PYTHON:-/usr/bin/python3} # not one of a home, where the service could not reach it
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "shelf-agent needs Python 3.11 or newer. Install it: apt-get install python3 python3-venv" >&2
    return 69
  fi
  "$python" -c 'import venv, ensurepip' 2>/dev/null || "$1/deploy/setup-system.sh" venv "$python"
  if [ -d "$1/wheels" ]; then # all that is needed is here: no network
    sums=$(cd "$1/wheels" && sha256sum ./*)
    [ ! -x "$2/venv/bin/shelf-agent" ] || [ "$sums" != "$(cat "$2/wheels.sha256" 2>/dev/null)" ] || return 0
    from="--no-index --no-cache-dir --find-links $1/wheels" ours=$(echo "$1"/wheels/shelfwatch-*.whl)
  else
    sums="" from="" ours=$1
  fi
  next=venv-$(date +%Y%m%dT%H%M%S)
  echo "setting up $2/$next"
  "$python" -m venv "$2/$next"
  # shellcheck disable=SC2086
  "$2/$next/bin/pip" install --quiet --disable-pip-version-check $from --require-hashes -r "$1/deploy/lock/agent.txt"
  # shellcheck disable=SC2086
  "$2/$next/bin/pip" install --quiet --disable-pip-version-check $from --no-deps "$ours"
  "$2/$next/bin/python" -c 'import edge_agent.agent' # one that cannot be loaded here is never taken into use
  link "$next" "$(basename "$2")/venv"
  printf '%s\n' "$sums" >"$2/wheels.sha256"
}

files() { # SOURCE RELEASE: everything but the environment
  rm -rf "$2/docs" "$2/deploy" "$2/systemd"
  mkdir -p "$2/deploy" "$2/systemd"
  cp -R "$1/docs" "$2/docs"
  cp "$1/deploy/install.sh" "$1/deploy/release.sh" "$1/deploy/shelf-agent" "$2/deploy/"
  cp "$1"/systemd/*.service "$2/systemd/"
  cp "$1/deploy/agent.example.toml" "$2/agent.example.toml"
  version_of "$1" >"$2/VERSION"
}

configuration() { # EXAMPLE: with the paths of a device, and an empty password, where there are none yet
  if [ ! -e "$etc/agent.toml" ]; then
    (umask 027 && sed -e 's#^bundle = .*#bundle = "/var/lib/shelfwatch/bundle"#' \
      -e 's#^path = "outbox.db".*#path = "/var/lib/shelfwatch/outbox.db"#' "$1" >"$etc/agent.toml")
    own root:shelfwatch "$etc/agent.toml" # a reload reads it as the agent's user, and the page saves shelves into it
    chmod 0660 "$etc/agent.toml"
  fi
  [ -e "$etc/broker-password" ] || (umask 077 && : >"$etc/broker-password") # root's alone: systemd hands it over
}

activate() { # VERSION: take a release into use, and remember the one before it
  now=$(readlink "$opt/current") || now=""
  if [ "$now" != "$1" ]; then
    [ -z "$now" ] || link "$now" previous
    link "$1" current
  fi
  install -m 0644 "$opt/current"/systemd/*.service "$units/"
  install -m 0755 "$opt/current/deploy/shelf-agent" "$prefix/usr/local/bin/shelf-agent"
  live || return 0
  systemctl daemon-reload
  systemctl try-restart shelf-agent 'shelf-agent@*' || cat >&2 <<END_OF_WARNING
release $1 does not come up: see  journalctl -u 'shelf-agent*'
Back to the one before it:  $opt/current/deploy/install.sh rollback
END_OF_WARNING
}

prune() { # what neither `current` nor `previous` needs: only now nothing runs from it any more
  for release in "$opt"/*/VERSION; do
    release=${release%/VERSION}
    case $(basename "$release") in
    current | previous | "$(readlink "$opt/current")" | "$(readlink "$opt/previous")") ;;
    *) rm -rf "$release" ;;
    esac
  done
  for old in "$opt/current"/venv-*; do
    [ "$(basename "$old")" = "$(readlink "$opt/current/venv")" ] || rm -rf "$old"
  done
  rm -rf "$opt"/venv "$opt"/venv-* "$opt/docs" "$opt/agent.example.toml" # from when a device had one release only
}

roll_back() { # change `current` and `previous`
  before=$(readlink "$opt/previous") || before=""
  if [ -z "$before" ] || [ ! -d "$opt/$before" ]; then
    echo "there is no release to go back to: $opt/previous is missing" >&2
    return 66
  fi
  activate "$before"
  echo "release $before is in use again"
}

remove_releases() { # everything but configuration, secrets, model, outbox and user
  if live && [ -e "$units/shelf-agent.service" ]; then systemctl stop shelf-agent 'shelf-agent@*'; fi
  rm -f "$units/shelf-agent.service" "$units/shelf-agent@.service" "$prefix/usr/local/bin/shelf-agent"
  rm -f "$units"/*.wants/shelf-agent.service "$units"/*.wants/shelf-agent@*.service
  if live; then
    systemctl daemon-reload
    systemctl reset-failed 'shelf-agent*' 2>/dev/null || true
  fi
  for release in "$opt"/*/VERSION; do
    rm -rf "${release%/VERSION}"
  done
  rm -f "$opt/current" "$opt/previous" "$opt"/*.next
  [ ! -d "$opt" ] || rmdir --ignore-fail-on-non-empty "$opt"
}

purge() { # that as well
  rm -rf "$etc" "$state" "$opt" "$units"/shelf-agent.service.d "$units"/shelf-agent@*.service.d "$prefix/run/shelf-agent"
  [ -n "$prefix" ] || ! id shelfwatch >/dev/null 2>&1 || userdel shelfwatch
  ! live || systemctl daemon-reload
}
