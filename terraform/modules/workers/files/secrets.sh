# Reads the worker's secrets with the VM's own account into a file in memory that only root can read.
# Neither token nor secret ever stands in an argument, which every process of the VM could see.
#
# secrets.sh LIST: each line of it is NAME projects/P/secrets/S/versions/N
set -euo pipefail
umask 077

list=$1
kept=${RUNTIME_DIRECTORY:?}/secrets.env
metadata=http://${GCE_METADATA_HOST:-metadata.google.internal}
secret_manager=${CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER:-https://secretmanager.googleapis.com}

fail() {
  printf '{"severity":"ERROR","message":"worker.secret_unreadable","process":"worker","secret":"%s","error":"%s"}\n' "$1" "$2" >&2
  exit 1
}

# ask URL: GET with the header that comes by stdin, tried again while a service is not ready.
ask() {
  curl --silent --show-error --fail --max-time 10 --retry 5 --retry-connrefused --retry-max-time 60 --header @- "$1"
}

# text FIELD: the value of a field of the JSON that comes by stdin; enough for a token or base64, which need no escape.
text() {
  tr -d '\n' | sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p'
}

: >"$kept.new"
if [[ -s $list ]]; then
  token=$(ask "$metadata/computeMetadata/v1/instance/service-accounts/default/token" <<<'Metadata-Flavor: Google' | text access_token) && [[ -n $token ]] ||
    fail "" "no token from the metadata server"
  while read -r name version; do
    data=$(ask "$secret_manager/v1/$version:access" <<<"Authorization: Bearer $token" | text data) && [[ -n $data ]] ||
      fail "$version" "Secret Manager refused it"
    value=$(base64 -d <<<"$data")
    [[ $value != *$'\n'* ]] || fail "$version" "it has several lines, which an environment file cannot hold"
    printf '%s=%s\n' "$name" "$value" >>"$kept.new"
  done <"$list"
fi
mv "$kept.new" "$kept"
