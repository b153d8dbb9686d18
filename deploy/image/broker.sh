#!/bin/sh
# Start the broker of this container, and end it if it is silent for a minute; its first start writes what a broker's data begins with.
#   /etc/kafka/server.properties  what the brokers of a line share; its log.dirs is /var/lib/kafka/log
#   BROKER                        lines for this broker alone: its number, its addresses
#   CLUSTER                       the cluster's id, the same for all brokers: 22 letters of base64
#   HEAP                          memory for Java, 1900m; it must hold 9 MiB for each connection that server.properties allows
set -eu
{ cat /etc/kafka/server.properties; printf '\n%s\n' "${BROKER:-}"; } >/tmp/server.properties
java() { /opt/java/bin/java "-Xmx${HEAP:-1900m}" @/opt/kafka/java.args "$@"; }
[ -e /var/lib/kafka/log/meta.properties ] || java kafka.tools.StorageTool format --cluster-id "$CLUSTER" --config /tmp/server.properties
/opt/java/bin/java "-Xmx${HEAP:-1900m}" @/opt/kafka/java.args kafka.Kafka /tmp/server.properties &
broker=$!
trap 'kill -TERM $broker' TERM INT
asked() { /bin/sh /opt/kafka/asked.sh /tmp/server.properties; }
{
    until asked; do sleep 5; done
    silent=0
    while [ $silent -lt 6 ]; do  # of ten seconds each
        sleep 5
        if asked; then silent=0; else silent=$((silent + 1)); fi
    done
    echo "the broker has answered nobody for a minute: it is started again" >&2
    kill -KILL $broker
} &
# A signal ends the first wait, and the broker then ends in its own time.
code=0
wait $broker || code=$?
while kill -0 $broker 2>/dev/null; do
    code=0
    wait $broker || code=$?
done
exit $code
