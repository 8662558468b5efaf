#!/bin/bash
# One broker that is a controller too. The image's own entrypoint writes into its installation and takes passwords from
# the environment; this one writes only to /tmp and reads them from files.
set -euo pipefail
: "${NODE_ID:?the number of this broker}" "${VOTERS:?id@host:port of all controllers}"
host=${BROKER_HOST:-kafka-$NODE_ID}
client_port=${CLIENT_PORT:-9092}
controller_port=${CONTROLLER_PORT:-9093}
broker_port=${BROKER_PORT:-9094}
secrets=${SECRETS_DIR:-/run/secrets}
bin=${KAFKA_BIN:-/opt/kafka/bin}
data=${DATA_DIR:-/var/lib/kafka/data}
properties=${WORK_DIR:-/tmp}/server.properties
broker_password=$(cat "$secrets/kafka-broker-password")
custody_password=$(cat "$secrets/kafka-custody-password")
cluster_id=$(cat "$secrets/kafka-cluster-id")
plain="org.apache.kafka.common.security.plain.PlainLoginModule required username=\"broker\" password=\"$broker_password\" user_broker=\"$broker_password\";"

umask 077
cat > "$properties" << PROPERTIES
process.roles=broker,controller
node.id=$NODE_ID
controller.quorum.voters=$VOTERS
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKER
listeners=CLIENT://$host:$client_port,BROKER://$host:$broker_port,CONTROLLER://$host:$controller_port
advertised.listeners=CLIENT://$host:$client_port,BROKER://$host:$broker_port
listener.security.protocol.map=CLIENT:SASL_SSL,BROKER:SASL_SSL,CONTROLLER:SASL_SSL
ssl.keystore.type=PEM
ssl.keystore.location=$secrets/kafka.pem
ssl.truststore.type=PEM
ssl.truststore.location=$secrets/ca.crt
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.client.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.broker.sasl.enabled.mechanisms=PLAIN
listener.name.broker.plain.sasl.jaas.config=$plain
sasl.mechanism.controller.protocol=PLAIN
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config=$plain
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:broker;User:custody
allow.everyone.if.no.acl.found=false
log.dirs=$data
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=3
min.insync.replicas=2
unclean.leader.election.enable=false
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
message.max.bytes=20971520
replica.fetch.max.bytes=20971520
PROPERTIES

# Formats an empty directory, once: the broker's storage and the user custody in the cluster's metadata.
"$bin/kafka-storage.sh" format --ignore-formatted --cluster-id "$cluster_id" --config "$properties" \
  --add-scram "SCRAM-SHA-512=[name=custody,password=$custody_password]"
exec "$bin/kafka-server-start.sh" "$properties"
