#!/bin/sh
# Installs our own code as far as it lies here into /opt/code, which every interpreter of /opt/spotmill looks into.
set -eu

/opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir wheels .
/opt/build/bin/pip --python /opt/spotmill/bin/python install \
  --no-cache-dir --no-compile --no-deps --no-index --target /opt/code wheels/*.whl
/opt/spotmill/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/code
