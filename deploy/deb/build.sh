#!/bin/sh
# Debian packages of shelf-agent. They hold every wheel that they need, so installing one takes no network: the release
# lies in /usr/share/shelf-agent, and postinst makes /opt/shelfwatch/<version> of it, as deploy/install.sh does.
# Usage: build.sh [--version VERSION] [--out DIR] [ARCHITECTURE...]      amd64 and arm64, or one of them
#   PYTHON         with pip; it builds for both architectures, as nothing is compiled
#   DEBIAN_PYTHON  the device's Python: 3.11 is Debian 12's, 3.13 that of Debian 13
set -eu
umask 022
here=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-python3} target=${DEBIAN_PYTHON:-3.11} out=$here/build/deb
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$here/pyproject.toml")
lock=$here/deploy/lock/agent.txt

while [ $# -gt 0 ]; do
  case $1 in
  --version) version=$2 && shift ;;
  --out) out=$2 && shift ;;
  amd64 | arm64) architectures="${architectures:-} $1" ;;
  *) sed -n '4s/^# U/u/p' "$0" >&2 && exit 2 ;;
  esac
  shift
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

our_wheel() { # into $work: the program itself, the same for every architecture
  mkdir "$work/source"
  for part in edge_agent converter trainer pyproject.toml README.md LICENSE; do cp -R "$here/$part" "$work/source/"; done
  sed -i "s/^version = .*/version = \"$version\"/" "$work/source/pyproject.toml"
  "$python" -m pip wheel -qq --disable-pip-version-check --no-deps -w "$work" "$work/source"
}

wheels() { # ARCHITECTURE: those of the lock, checked by hash, kept in build/deb until the lock changes
  machine=x86_64
  [ "$1" = amd64 ] || machine=aarch64
  kept=$here/build/deb/wheels-$1-$target-$(sha256sum "$lock" | cut -c1-12)
  if [ ! -d "$kept" ]; then
    platforms="--platform manylinux2014_$machine"
    for minor in $(seq 17 36); do platforms="$platforms --platform manylinux_2_${minor}_$machine"; done # glibc 2.36
    mkdir -p "$here/build/deb"
    rm -rf "$kept.part"
    # shellcheck disable=SC2086
    "$python" -m pip download -qq --disable-pip-version-check --only-binary :all: --no-deps --require-hashes \
      --implementation cp --python-version "$target" $platforms -r "$lock" -d "$kept.part" >&2
    mv "$kept.part" "$kept"
  fi
  echo "$kept"
}

package() { # ARCHITECTURE
  root=$work/$1 files=$work/$1/usr/share/shelf-agent
  mkdir -p "$root/DEBIAN" "$files/deploy/lock" "$files/wheels"
  found=$(wheels "$1")
  cp "$found"/*.whl "$work"/shelfwatch-*.whl "$files/wheels/"
  cp "$lock" "$files/deploy/lock/"
  for part in install.sh release.sh shelf-agent agent.example.toml; do cp "$here/deploy/$part" "$files/deploy/"; done
  cp -R "$here/docs" "$here/systemd" "$here/LICENSE" "$files/"
  echo "$version" >"$files/VERSION"
  for script in postinst prerm postrm; do # each can stand alone: after removal there is no other file of ours
    { printf '#!/bin/sh\nset -eu\numask 022\nprefix=""\n' && cat "$here/deploy/release.sh" "$here/deploy/deb/$script"; } \
      >"$root/DEBIAN/$script"
    chmod 0755 "$root/DEBIAN/$script"
  done
  next=${target%.*}.$((${target#*.} + 1))
  sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$1/" -e "s/@PYTHON@/$target/" -e "s/@NEXT@/$next/" \
    -e "s/@SIZE@/$(du -sk "$files" | cut -f1)/" "$here/deploy/deb/control" >"$root/DEBIAN/control"
  # wheels are compressed already
  dpkg-deb --root-owner-group -Znone --build "$root" "$out/shelf-agent_${version}_$1.deb"
}

mkdir -p "$out"
our_wheel
for architecture in ${architectures:-amd64 arm64}; do package "$architecture"; done
