#!/bin/sh
# Makes an authority of one's own and certificates for hosts and clients:
#
#   deploy/tls/make-certificates.sh <folder> kafka-1 kafka-2 kafka-3 redis tallyhop admin
#
# <folder>/ca.pem is for everybody; <folder>.authority/ca.key signs: let nobody have it. Of each name there are <name>.pem (certificate),
# <name>.key and <name>.keystore.pem (both in one, as Kafka wants it). A name is a host's DNS name, and the CN that rights in Kafka are
# given to. What is there is kept, so that names can be added later. All are valid for two years.
# Keys are readable for all users of this machine, since each container has another; a machine of one service makes its own 0400.
set -eu
folder=$1
shift
authority=$folder.authority
days=730
mkdir -p "$folder" "$authority"
chmod 700 "$authority"

if [ ! -e "$authority/ca.key" ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -sha256 -nodes -days "$days" -subj '/CN=Tallyhop authority' \
    -addext 'keyUsage=critical,keyCertSign' -keyout "$authority/ca.key" -out "$folder/ca.pem" 2> /dev/null
fi
for name; do
  [ ! -e "$folder/$name.pem" ] || continue
  # On the host itself it is also called localhost.
  printf '%s\n' "subjectAltName=DNS:$name,DNS:localhost,IP:127.0.0.1" 'extendedKeyUsage=serverAuth,clientAuth' > "$authority/$name.ext"
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -sha256 -nodes -subj "/CN=$name" \
    -keyout "$authority/$name.key" -out "$authority/$name.csr" 2> /dev/null
  openssl x509 -req -in "$authority/$name.csr" -sha256 -days "$days" -CA "$folder/ca.pem" -CAkey "$authority/ca.key" \
    -CAcreateserial -CAserial "$authority/serial" -extfile "$authority/$name.ext" -out "$folder/$name.pem" 2> /dev/null
  cat "$authority/$name.key" > "$folder/$name.key"
  cat "$folder/$name.key" "$folder/$name.pem" > "$folder/$name.keystore.pem"
  rm "$authority/$name.csr" "$authority/$name.ext" "$authority/$name.key"
done
