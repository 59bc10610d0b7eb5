#!/bin/bash
# PostgreSQL 18 in a root of its own (chroot), with a table of 256 MiB that it reads directly. Each
# form has its own data, so that all of them can run at once.
# postgres.sh make FOLDER
# postgres.sh FOLDER PORT sync|worker|io_uring
set -e
# A scan that follows another one finds its blocks in memory: none of them does.
server() { # PORT FORM SETTINGS...
    local port=$1 form=$2
    shift 2
    exec chroot --userspec=postgres:postgres "$root" $bin/postgres -D /pg/$form -p "$port" -c io_method=$form \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c dynamic_shared_memory_type=mmap \
        -c shared_buffers=32MB -c max_parallel_workers_per_gather=0 -c effective_io_concurrency=64 -c synchronize_seqscans=off \
        -c autovacuum=off -c wal_level=minimal -c max_wal_senders=0 -c fsync=off -c jit=off "$@"
}
bin=/usr/lib/postgresql/18/bin
if [ "$1" = make ]; then
    root=$2/sid
    port=$((20000 + $$ % 10000))
    rm -rf "$root/pg"
    mkdir "$root/pg"
    cat > "$root/pg/scan.sql" <<E
select count(*) from t where id < 0;
E
    cat > "$root/pg/bitmap.sql" <<E
\set low random(-2147483648, 2140000000)
set enable_seqscan = off;
set enable_indexscan = off;
select count(pad) from t where hashint8(id) between :low and :low + 4000000;
E
    chroot "$root" chown -R postgres:postgres /pg
    chroot --userspec=postgres:postgres "$root" $bin/initdb -D /pg/sync -A trust > /dev/null
    server $port sync > "$root/pg/made.log" 2>&1 &
    trap 'kill $! 2> /dev/null' EXIT
    ask() { chroot "$root" $bin/psql -q -h 127.0.0.1 -p $port -U postgres "$@"; }
    for _ in {1..100}; do ask -c 'select' > /dev/null 2>&1 && break; sleep 0.1; done
    ask -c "create table t as select g::bigint id, repeat('x', 400) pad from generate_series(1, 600000) g" \
        -c "create index on t (hashint8(id))" -c "vacuum analyze t" -c checkpoint
    trap - EXIT
    kill -INT $!
    wait $! || true
    cp -a "$root/pg/sync" "$root/pg/worker"
    cp -a "$root/pg/sync" "$root/pg/io_uring"
    sync -f "$root/pg"
    touch "$root/pg/made"
    exit
fi
root=$1/sid
server "$2" "$3" -c debug_io_direct=data
