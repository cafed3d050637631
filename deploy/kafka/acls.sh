#!/bin/sh
# Gives a principal what instances of a role need in Kafka, and nothing else. For brokers with an authorizer:
#
#   deploy/kafka/acls.sh <web|worker|all> <principal> --bootstrap-server kafka-1:9092 --command-config admin.properties
#
# `all` is for ROLE=web,worker, the default. $KAFKA_ACLS is the path of Kafka's own kafka-acls.sh, $TOPIC_PREFIX that of the program.
# Run it before the first start. Running it again changes nothing.
set -eu
role=$1
principal=$2
shift 2
links=${TOPIC_PREFIX:-}tallyhop.links.v1
visits=${TOPIC_PREFIX:-}tallyhop.visits.v1
changelog=${TOPIC_PREFIX:-}tallyhop-g1-changelog
dead_letters=${TOPIC_PREFIX:-}tallyhop.dead-letters.v1
group=${TOPIC_PREFIX:-}tallyhop-g1

allow() {
  "${KAFKA_ACLS:-kafka-acls.sh}" "$@" --add --force --allow-principal "$principal" > /dev/null
}

case $role in
  web | worker | all) ;;
  *)
    echo "the role is web, worker or all, not $role" >&2
    exit 1
    ;;
esac

# Whoever starts first makes the topics; each start checks their settings.
allow "$@" --topic "$links" --topic "$visits" --topic "$changelog" --topic "$dead_letters" \
  --operation Create --operation Describe --operation DescribeConfigs
# Every instance folds all links; the first of them writes the identity of the log there.
allow "$@" --topic "$links" --operation Read
allow "$@" --topic "$links" --topic "$dead_letters" --operation Write

if [ "$role" != worker ]; then
  # Visits are shipped; who answers for their numbers is asked of the group.
  allow "$@" --topic "$visits" --operation Write
  allow "$@" --group "$group" --operation Describe
fi
if [ "$role" != web ]; then
  allow "$@" --topic "$visits" --topic "$changelog" --topic "$dead_letters" --group "$group" --operation Read
  allow "$@" --topic "$changelog" --operation Write
fi
