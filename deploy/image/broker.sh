#!/bin/sh
# Start the broker of this container; its first start writes what a broker's data begins with.
#   /etc/kafka/server.properties  what the brokers of a line share; its log.dirs is /var/lib/kafka/log
#   BROKER                        lines for this broker alone: its number, its addresses
#   CLUSTER                       the cluster's id, the same for all brokers: 22 letters of base64
#   HEAP                          memory for Java, 512m
set -eu
{ cat /etc/kafka/server.properties; printf '\n%s\n' "${BROKER:-}"; } >/tmp/server.properties
java() { /opt/java/bin/java "-Xmx${HEAP:-512m}" @/opt/kafka/java.args "$@"; }
[ -e /var/lib/kafka/log/meta.properties ] || java kafka.tools.StorageTool format --cluster-id "$CLUSTER" --config /tmp/server.properties
exec /opt/java/bin/java "-Xmx${HEAP:-512m}" @/opt/kafka/java.args kafka.Kafka /tmp/server.properties
