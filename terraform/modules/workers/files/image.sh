# Fetches the worker's image from Artifact Registry with the VM's own account, and clears away what a crash left.
#
# From vm.env: IMAGE.
set -euo pipefail

docker-credential-gcr configure-docker --registries "${IMAGE%%/*}"
docker rm --force spotmill-worker >/dev/null 2>&1 || true
docker image inspect "$IMAGE" >/dev/null 2>&1 || docker pull --quiet "$IMAGE"
