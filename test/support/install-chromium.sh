#!/bin/sh
# A real browser for tests of pages people open offline: Debian's or Ubuntu's `chromium`, unpacked with the libraries
# that are missing here. Nothing is installed into the system and root is not needed; root only refreshes apt's lists.
set -eu
root=${CUSTODY_CHROMIUM_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/custody-test/chromium}
binary=$root/usr/lib/chromium/chromium
if [ ! -x "$binary" ]; then
  [ "$(id -u)" -ne 0 ] || apt-get update -qq
  # What apt would install is what this machine lacks. On Ubuntu the package is a stub of another store: no binary.
  packages=$(apt-get install -s --no-install-recommends chromium | sed -n 's/^Inst \([^ ]*\) .*/\1/p')
  # Already installed: tests find it by itself.
  [ -n "$packages" ] || { echo "chromium is installed"; exit 0; }
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  # apt drops root for downloads.
  chmod 777 "$work"
  mkdir -p "$root"
  (cd "$work" && apt-get download -q $packages && for package in *.deb; do dpkg -x "$package" "$root"; done)
  [ -x "$binary" ] || { echo "the package has no browser in it: set CUSTODY_TEST_CHROMIUM to one" >&2; exit 1; }
fi
arch=$(ls "$root/usr/lib" | grep -- '-linux-gnu' | head -n 1)
LD_LIBRARY_PATH=$root/usr/lib/$arch:$root/lib/$arch:$root/usr/lib/$arch/pulseaudio "$binary" --version
echo "chromium in $root"
