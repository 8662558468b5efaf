#!/bin/bash
# Roles out of deploy/clickhouse, then one user for each of them. Every time the fleet starts: a changed password or
# grant is taken over. Passwords go to the server as hashes, over TLS, and into no argument list.
set -euo pipefail
secrets=${SECRETS_DIR:-/run/secrets}
umask 077
cat > /tmp/client.xml << XML
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
client() { clickhouse client --config-file /tmp/client.xml --multiquery; }
hash() { printf %s "$(cat "$secrets/$1")" | sha256sum | cut -d ' ' -f 1; }

client < /opt/custody/clickhouse/roles.sql
for role in migrator writer reader; do
  echo "CREATE USER OR REPLACE custody_$role IDENTIFIED WITH sha256_hash BY '$(hash "clickhouse-$role-password")' DEFAULT ROLE custody_$role;"
  echo "GRANT custody_$role TO custody_$role;"
done | client
