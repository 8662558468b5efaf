#!/bin/sh
# Makes every secret docker-compose.yml and deploy/compose/embedded.yml mount, in secrets/ at the root of the
# repository, with openssl. What is there already is left alone: to change one secret, delete its file and run this
# again. The directory is closed to everybody else on this host; the files in it are readable, because each container
# runs as a user of its own.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
secrets=${1:-$(dirname -- "$(dirname -- "$here")")/secrets}
days=825
umask 077
mkdir -p "$secrets"
chmod 700 "$secrets"
cd "$secrets"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# keep FILE: standard input, unless FILE is there; complete or not at all.
keep() {
  cat > "$work/new"
  [ -s "$work/new" ] || { echo "make-secrets: cannot make $1: openssl gave nothing" >&2; exit 1; }
  if [ ! -e "$1" ]; then
    chmod 444 "$work/new"
    mv "$work/new" "$1"
    echo "make-secrets: $secrets/$1"
  fi
}

random() { [ -e "$1" ] || openssl rand -hex 32 | tr -d '\n' | keep "$1"; }

# A Kafka cluster id is 16 bytes in base64url and must not begin like an option.
cluster_id() {
  [ ! -e kafka-cluster-id ] || return 0
  id=-
  while [ "${id#-}" != "$id" ]; do id=$(openssl rand -base64 16 | tr '+/' '-_' | tr -d '=\n'); done
  printf %s "$id" | keep kafka-cluster-id
}

authority() {
  [ ! -e ca.key ] || [ ! -e ca.crt ] || return 0
  rm -f ca.key ca.crt
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj '/CN=custody compose' \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
    -keyout "$work/ca.key" -out "$work/ca.crt" 2> "$work/log" || { cat "$work/log" >&2; exit 1; }
  keep ca.crt < "$work/ca.crt"
  keep ca.key < "$work/ca.key"
  # No container has the authority's key.
  chmod 400 ca.key
}

# certificate NAME ALTERNATIVE_NAMES
certificate() {
  [ ! -e "$1.crt" ] || [ ! -e "$1.key" ] || return 0
  rm -f "$1.crt" "$1.key" "$1.pem"
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
    -keyout "$work/$1.key" -out "$work/$1.csr" 2> "$work/log" || { cat "$work/log" >&2; exit 1; }
  printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$2" > "$work/extensions"
  openssl x509 -req -in "$work/$1.csr" -CA ca.crt -CAkey ca.key -days "$days" -set_serial "0x$(openssl rand -hex 16)" \
    -extfile "$work/extensions" -out "$work/$1.crt" 2> "$work/log" || { cat "$work/log" >&2; exit 1; }
  keep "$1.crt" < "$work/$1.crt"
  keep "$1.key" < "$work/$1.key"
}

# ClickHouse's first user, who makes the others: a file with the hash of the password, nothing to make it from.
clickhouse_admin() {
  hash=$(openssl dgst -sha256 -r < clickhouse-admin-password | cut -d ' ' -f 1)
  if grep -q "$hash" clickhouse-admin.xml 2> /dev/null; then return 0; fi
  rm -f clickhouse-admin.xml
  keep clickhouse-admin.xml << XML
<clickhouse>
  <users>
    <default remove="remove"/>
    <custody_admin>
      <password_sha256_hex>$hash</password_sha256_hex>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <access_management>1</access_management>
      <named_collection_control>1</named_collection_control>
    </custody_admin>
  </users>
</clickhouse>
XML
}

cluster_id
for name in digest-key ingest-token admin-token grafana-admin-password kafka-broker-password kafka-custody-password \
  clickhouse-admin-password clickhouse-migrator-password clickhouse-writer-password clickhouse-notary-password \
  clickhouse-reader-password; do
  random "$name"
done
clickhouse_admin
authority
certificate kafka 'DNS:kafka-1,DNS:kafka-2,DNS:kafka-3,DNS:localhost,IP:127.0.0.1'
certificate clickhouse 'DNS:clickhouse,DNS:localhost'
certificate collector 'DNS:collector,DNS:localhost,IP:127.0.0.1'
# Kafka wants key and certificate in one file.
[ -e kafka.pem ] || cat kafka.key kafka.crt | keep kafka.pem
