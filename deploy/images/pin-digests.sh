#!/bin/sh
# Resolves the digest of every image the Dockerfiles, the compose files and the chart name, and writes it behind the tag:
# name:tag becomes name:tag@sha256:..., and an older digest is replaced. Needs docker buildx and the registry.
# --check changes nothing and fails when a digest in the files is not the registry's.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
files="Dockerfile deploy/grafana/Dockerfile docker-compose.yml deploy/compose/embedded.yml"
# Images made here have no registry.
images=$(grep -hoE '(FROM|image:)( &[a-z-]+)? +[a-z0-9./-]+:[A-Za-z0-9._-]+' $files | awk '{ print $NF }' | grep -v '^mcp-custody' | sort -u)
[ -n "$images" ] || { echo "pin-digests: no image found in: $files" >&2; exit 1; }
wrong=0
for image in $images; do
  digest=$(docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}')
  case $digest in sha256:*) ;; *) echo "pin-digests: no digest for $image" >&2; exit 1 ;; esac
  if [ "${1:-}" = --check ]; then
    for file in $files; do
      if grep -qF "$image" "$file" && ! grep -qF "$image@$digest" "$file"; then
        echo "pin-digests: $file: $image is $digest"
        wrong=1
      fi
    done
  else
    pattern=$(printf %s "$image" | sed 's/[.]/\\./g')
    sed -i -E "s#($pattern)(@sha256:[0-9a-f]{64})?([[:space:]]|\$)#\1@$digest\3#g" $files
    echo "pin-digests: $image@$digest"
  fi
done
exit "$wrong"
