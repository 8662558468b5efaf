#!/bin/sh
# Real syslog receivers for test/sinks/siem/syslog on Debian and Ubuntu: rsyslog with its TLS driver as a package;
# syslog-ng, which conflicts with it, unpacked beside it. Run as root.
set -eu
root=${CUSTODY_SYSLOG_NG_ROOT:-/opt/custody-test/syslog-ng}
apt-get update -qq
apt-get install -y -qq --no-install-recommends rsyslog rsyslog-gnutls openssl
if [ ! -x "$root/usr/sbin/syslog-ng" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  # apt drops root for downloads.
  chmod 755 "$work"
  mkdir -p "$root"
  # Its own libraries that no installed package brought.
  libraries=$(apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances syslog-ng-core \
    | sed -n 's/^ *|*Depends: \(lib[a-z0-9.+-]*\)$/\1/p' \
    | while read -r library; do dpkg -s "$library" >/dev/null 2>&1 || echo "$library"; done)
  (cd "$work" && apt-get download -q syslog-ng-core $libraries && for package in *.deb; do dpkg -x "$package" "$root"; done)
fi
rsyslogd -v | head -n 1
echo "syslog-ng in $root"
