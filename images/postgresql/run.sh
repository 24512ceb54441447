#!/bin/sh
# Make the database once, then serve it. The password is read from $PASSWORD_FILE.
set -eu
data=${PGDATA:-/var/lib/postgresql/data}
binaries=/usr/lib/postgresql/17/bin
if [ ! -s "$data/PG_VERSION" ]; then
  "$binaries/initdb" --username=pilotlight --auth=scram-sha-256 --pwfile="$PASSWORD_FILE" \
    --data-checksums --pgdata="$data" --encoding=UTF8 --locale=C.UTF-8
  echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
fi
# Its log is a gigabyte if nobody says otherwise: as much as the disk of a trial, whose pod is evicted
# with its data where that is full.
exec "$binaries/postgres" -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp -c max_wal_size=256MB
