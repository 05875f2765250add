#!/bin/sh
# Installs what a lock names into /opt/spotmill, less what no process opens: about a third of the bytes.
set -eu

# Hashes are checked on the way in. pyvips alone has no wheel and is made one (its C part comes with pyvips-binary).
/opt/build/bin/pip wheel --no-cache-dir --wheel-dir wheels --no-deps --no-build-isolation \
  --only-binary :all: --no-binary pyvips --require-hashes --requirement "$1"
/opt/build/bin/pip --python /opt/spotmill/bin/python install --quiet --no-compile --no-deps --no-index wheels/*.whl
site=$(/opt/spotmill/bin/python -c 'import sysconfig; print(sysconfig.get_path("platlib"))')

# One client of Compute's 130 is used, and shared/compute_client.py loads no other; the connector to Cloud SQL uses v1beta4.
services=$site/google/cloud/compute_v1/services
if [ -d "$services" ]; then
  find "$services" -mindepth 1 -maxdepth 1 -type d ! -name region_instance_group_managers ! -name region_operations \
    -exec rm -rf {} +
fi
rm -rf "$site/google/cloud/sqladmin" "$site/google/cloud/sqladmin_v1"
# onnxruntime's C library (its Python module has all of it once more), and what makes models.
rm -rf "$site"/onnxruntime/capi/libonnxruntime.so* "$site"/onnxruntime/datasets "$site"/onnxruntime/quantization \
  "$site"/onnxruntime/tools "$site"/onnxruntime/transformers
# Of CUDA, CTranslate2 opens cuBLAS, and that the compiler of kernels; both as they are, without another's interface.
rm -rf "$site"/nvidia/*/bin "$site"/nvidia/*/include "$site"/nvidia/*/lib/libnvblas.so* "$site"/nvidia/*/lib/*.alt.so*
# A place for LD_LIBRARY_PATH, without a Python's number in it.
if [ -d "$site/nvidia" ]; then ln -s "$site/nvidia" /opt/spotmill/nvidia; fi
# Tests of the libraries (what NumPy and scikit-learn give to test with, SciPy loads), and what their compilers read.
find "$site" -depth -type d \( -name testing -not -path '*/numpy/*' -not -path '*/array_api_extra/*' -o -name tests \) \
  -exec rm -rf {} +
find "$site" -type f \( -name '*.a' -o -name '*.h' -o -name '*.pxd' -o -name '*.pyi' -o -name '*.pyx' \) -delete
# Symbols for debuggers; the libraries that wheels bring along (*.libs) were relinked, and strip would break some.
find "$site" -name '*.so' -not -path '*.libs/*' -not -path '*/nvidia/*' -exec strip --strip-debug {} +

# They would be in the cache of the build for as long as the lock is.
rm -rf wheels

# Nothing may write bytecode later. It is never compared with its source, so that the start looks up half as many files.
/opt/spotmill/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash "$site"
