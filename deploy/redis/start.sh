#!/bin/sh
# Starts Redis with the users of users.acl, the password of `tallyhop` being $REDIS_PASSWORD; Redis reads only its hash. Arguments
# are those of redis-server. The user reaches keys and channels of the program alone, whose names begin with $TOPIC_PREFIX where
# that is set, and has no command that looks at the whole or empties it (KEYS, SCAN, FLUSHALL, CONFIG).
set -eu
: "${REDIS_PASSWORD:?must be set}"
users=$(mktemp)
hash=$(printf %s "$REDIS_PASSWORD" | sha256sum | cut -d ' ' -f 1)
sed -e "s/ resetpass / resetpass #$hash /" -e "s/tallyhop:/${TOPIC_PREFIX:-}tallyhop:/g" "$(dirname "$0")/users.acl" > "$users"
exec redis-server --aclfile "$users" "$@"
