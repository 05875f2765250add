#!/usr/bin/env bash
# Make sure there are spin and a C compiler for the model, or say exactly how to get them.
set -eu
if command -v spin >/dev/null && command -v gcc >/dev/null; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing Debian's spin and gcc for the model"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends spin gcc libc6-dev >/dev/null
else
  echo "The model needs spin and gcc. Install them (Debian: sudo apt-get install spin gcc libc6-dev; macOS: brew install spin)." >&2
  exit 1
fi
