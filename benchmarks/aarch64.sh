#!/bin/sh
# Put an emulated 64-bit ARM device into a folder, without root and without installing anything:
#   FOLDER/qemu   qemu-user, taken from Debian's backports; 7.2, which Debian 12 has, dies when LiteRT is loaded
#   FOLDER/root   Debian's Python 3.11 for arm64, and what it links to
#   FOLDER/site   what the agent's lock has a device install, as wheels for aarch64, by their hashes
# Usage: benchmarks/aarch64.sh [FOLDER] [PYTHON]    takes a minute and 500 MB; needs apt-get, dpkg and pip.
# tests/system/test_aarch64.py and benchmarks/bench_inference.py look for it in build/aarch64.
set -eu
repo=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$repo/build/aarch64}
python=${2:-$repo/.venv/bin/python}
suite=bookworm # has Python 3.11, as the lock's wheels
libraries="libc6 libgcc-s1 libstdc++6 zlib1g libexpat1 libbz2-1.0 liblzma5 libffi8 libssl3 libsqlite3-0 libuuid1"

for program in apt-get dpkg "$python"; do
  command -v "$program" >/dev/null || { echo "$program is missing; this needs Debian or Ubuntu, and make tools" >&2; exit 69; }
done
mkdir -p "$(dirname "$folder")"
new=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$new"' EXIT

fetch() { # ARCHITECTURE SUITE INTO PACKAGE...: download and unpack, by a configuration of apt that is all its own
  apt=$new/apt
  mkdir -p "$apt/sources" "$apt/lists" "$apt/cache" "$apt/debs" "$3"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $2 main" \
    >"$apt/sources/debian.list"
  cat >"$apt/conf" <<END
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$apt/sources";
Dir::State::lists "$apt/lists";
Dir::State::status "/dev/null";
Dir::Cache "$apt/cache";
APT::Architecture "$1";
APT::Architectures "$1";
APT::Sandbox::User "root";
Acquire::Retries "2";
END
  into=$3
  shift 3
  if ! (cd "$apt/debs" && APT_CONFIG=$apt/conf apt-get update && APT_CONFIG=$apt/conf apt-get download "$@") \
    >"$new/log" 2>&1; then
    cat "$new/log" >&2
    exit 69
  fi
  for package in "$apt"/debs/*.deb; do dpkg -x "$package" "$into"; done
  rm -rf "$apt"
}

echo "fetching qemu-user for this machine"
fetch "$(dpkg --print-architecture)" "$suite-backports" "$new/qemu" qemu-user
echo "fetching Python 3.11 for arm64"
# shellcheck disable=SC2086
fetch arm64 "$suite" "$new/root" python3.11-minimal libpython3.11-minimal libpython3.11-stdlib $libraries
echo "fetching the agent's packages for aarch64"
platforms=""
for glibc in 17 24 26 27 28 31 34 35 36; do platforms="$platforms --platform manylinux_2_${glibc}_aarch64"; done
# shellcheck disable=SC2086
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
  --target "$new/site" $platforms --platform manylinux2014_aarch64 --python-version 3.11 --implementation cp \
  --abi cp311 --abi abi3 --abi none -r "$repo/deploy/lock/agent.txt"
find "$new/qemu/usr/bin" -type f ! -name qemu-aarch64 -delete
rm "$new/log"
chmod 755 "$new"

rm -rf "$folder"
mv "$new" "$folder"
"$folder/qemu/usr/bin/qemu-aarch64" -L "$folder/root" "$folder/root/usr/bin/python3.11" -S -c \
  'import platform; print("ready: Python", platform.python_version(), "on", platform.machine())'
