#!/bin/sh
# Starts Redis with the users of users.acl, the password of `tallyhop` being $REDIS_PASSWORD; Redis reads only its hash.
# Arguments are those of redis-server. The user reaches keys and channels of the program alone, and no command that looks at
# or empties the whole (KEYS, SCAN, FLUSHALL, CONFIG, EVAL). With TOPIC_PREFIX set, put it in front of both `tallyhop:*`.
set -eu
: "${REDIS_PASSWORD:?must be set}"
users=$(mktemp)
hash=$(printf %s "$REDIS_PASSWORD" | sha256sum | cut -d ' ' -f 1)
sed "s/ resetpass / resetpass #$hash /" "$(dirname "$0")/users.acl" > "$users"
exec redis-server --aclfile "$users" "$@"
