# Says how the service ended, also if it never came up: systemd knows, the worker cannot tell.
# SERVICE_RESULT, EXIT_CODE and EXIT_STATUS: systemd.exec(5).
set -euo pipefail

severity=INFO
[[ ${SERVICE_RESULT:-} == success ]] || severity=ERROR
printf '{"severity":"%s","message":"worker.unit_ended","process":"worker","result":"%s","how":"%s","status":"%s"}\n' \
  "$severity" "${SERVICE_RESULT:-}" "${EXIT_CODE:-}" "${EXIT_STATUS:-}" >&2
