#!/bin/sh
# A real S3 server with object lock for test/notary/anchors: versitygw (Apache 2.0), built from source by Go 1.24 or newer.
# About a minute of two cores the first time.
set -eu
root=${CUSTODY_S3_ROOT:-/opt/custody-test/versitygw}
version=v1.8.0
if [ ! -x "$root/$version/versitygw" ]; then
  command -v go >/dev/null 2>&1 || { echo 'no Go compiler to build an S3 server with' >&2; exit 1; }
  mkdir -p "$root/$version"
  GOBIN="$root/$version" GOTOOLCHAIN=local CGO_ENABLED=0 go install -ldflags='-s -w' \
    "github.com/versity/versitygw/cmd/versitygw@$version"
fi
"$root/$version/versitygw" --version | head -n 1
