#!/usr/bin/env bash
# Make sure that images can be built and run here, or say in one line why not.
set -eu
needed="buildah mmdebstrap podman runc"
missing=""
for name in $needed; do
  command -v "$name" >/dev/null || missing="$missing $name"
done
if [ "$(id -u)" != 0 ]; then
  echo "Containers are tested as root only." >&2
  exit 1
fi
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null; then
  echo "Containers are not tested without$missing, which only Debian's apt-get installs here." >&2
  exit 1
fi
# shellcheck disable=SC2086 # one word each
if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o DPkg::Lock::Timeout=300 --no-install-recommends $missing; } >/dev/null; then
  echo "Containers are not tested: apt-get could not install$missing." >&2
  exit 1
fi
