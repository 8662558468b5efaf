#!/bin/bash
# Roles and users out of deploy/clickhouse, every time the fleet starts: a changed password or grant is taken over.
# Passwords go to the server as hashes, over TLS, and into no argument list.
set -euo pipefail
secrets=${SECRETS_DIR:-/run/secrets}
sources=${SOURCES_DIR:-/opt/custody/clickhouse}
umask 077
cat > "${TMPDIR:-/tmp}/client.xml" << XML
<config>
  <host>clickhouse</host>
  <port>9440</port>
  <secure>1</secure>
  <user>custody_admin</user>
  <password>$(cat "$secrets/clickhouse-admin-password")</password>
  <openSSL><client>
    <loadDefaultCAFile>false</loadDefaultCAFile>
    <caConfig>$secrets/ca.crt</caConfig>
    <verificationMode>relaxed</verificationMode>
    <invalidCertificateHandler><name>RejectCertificateHandler</name></invalidCertificateHandler>
  </client></openSSL>
</config>
XML
client() { clickhouse client --config-file "${TMPDIR:-/tmp}/client.xml" --multiquery; }
hash() { printf %s "$(cat "$1")" | sha256sum | cut -d ' ' -f 1; }

# users.sql with the hashes put in. A user without a password here, such as the short-lived one of retention, is not
# made: statements stand in paragraphs, one user each, and one with a placeholder left is dropped.
users() {
  sql=$(cat "$sources/users.sql")
  for file in "$secrets"/clickhouse-*-password; do
    role=$(basename "$file" -password)
    sql=${sql//"<${role#clickhouse-}-password-sha256>"/$(hash "$file")}
  done
  printf '%s\n' "$sql" | sed 's/^--.*//' | awk 'BEGIN { RS = ""; ORS = "\n\n" } !/<[a-z0-9-]+>/'
}

if [ "${1:-}" = --print-users ]; then
  users
  exit
fi
client < "$sources/roles.sql"
users | client
