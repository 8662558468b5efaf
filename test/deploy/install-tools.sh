#!/bin/sh
# Compose and helm for test/deploy, built from their Go modules into node_modules/.cache/custody-tools. Go's checksum
# database vouches for the sources, and each is built with the go.sum it was released with. Builds only what is
# missing; without go it says so and changes nothing. Arguments: compose, helm, manifests; none = all.
set -eu
compose_version=v2.40.3
helm_version=v3.20.2
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
tools=${CUSTODY_TOOLS_DIR:-$(dirname -- "$(dirname -- "$here")")/node_modules/.cache/custody-tools}

# build NAME VERSION MODULE PACKAGE VARIABLE [OWN]: VARIABLE is where the program keeps its version; OWN is a source
# file of this folder that becomes PACKAGE, and so uses what the module uses, in the same versions.
build() {
  target=$tools/$1-$2
  if [ -x "$target" ]; then
    echo "install-tools: $1 $2 is there: $target"
  elif ! command -v go >/dev/null 2>&1; then
    echo "install-tools: NOTICE: $1 $2 is not built, there is no go on this machine; tests that need it are skipped"
    return 0
  else
    echo "install-tools: building $1 $2 with $(go env GOVERSION), some minutes the first time"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # A copy: compose's go.mod has exclude lines, which go install refuses for a module that is not the main one.
    source=$(cd "$work" && go mod download -json "$3@$2" | sed -n 's/^.*"Dir": "\(.*\)",*$/\1/p')
    cp -R "$source" "$work/source"
    chmod -R u+w "$work/source"
    if [ -n "${6:-}" ]; then mkdir -p "$work/source/$4" && cp "$here/$6" "$work/source/$4/main.go"; fi
    (cd "$work/source" && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "-s -w -X $5=$2" -o "$work/$1" "$4")
    mkdir -p "$tools"
    mv "$work/$1" "$target"
    rm -rf "$work"
    trap - EXIT
    echo "install-tools: built $target"
  fi
  ln -sf "$1-$2" "$tools/$1"
}

for tool in ${*:-compose helm manifests}; do
  case $tool in
    compose)
      build compose "$compose_version" github.com/docker/compose/v2 ./cmd \
        github.com/docker/compose/v2/internal.Version
      ;;
    helm) build helm "$helm_version" helm.sh/helm/v3 ./cmd/helm helm.sh/helm/v3/internal/version.version ;;
    manifests) build manifests "$helm_version" helm.sh/helm/v3 ./cmd/manifests main.version manifests.go.txt ;;
    *) echo "install-tools: there is no tool $tool" >&2; exit 2 ;;
  esac
done
