#!/bin/bash
# MariaDB with a table of 100,000 rows, all in memory: a thread per connection, or a pool with
# epoll. Each form has its own data, so that both can run at once.
# maria.sh make FOLDER
# maria.sh FOLDER PORT threads|pool
set -e
server() { # DATA PORT HOW...
    local data=$1 port=$2
    shift 2
    exec mariadbd --no-defaults --user=root --datadir="$data" --bind-address=127.0.0.1 --port="$port" \
        --socket="$data/socket" --pid-file="$data/pid" --innodb-buffer-pool-size=128M --max-connections=500 \
        --skip-log-bin --performance-schema=OFF --innodb-flush-log-at-trx-commit=2 "$@"
}
if [ "$1" = make ]; then
    data=$2/maria/threads port=$((20000 + $$ % 10000))
    rm -rf "$2/maria"
    mkdir "$2/maria"
    mariadb-install-db --no-defaults --datadir="$data" --auth-root-authentication-method=normal --user=root \
        --skip-test-db > /dev/null
    server "$data" $port > /dev/null 2>&1 &
    trap 'kill $! 2> /dev/null' EXIT
    ask() { mariadb --no-defaults --socket="$data/socket" --user=root --execute "$1"; }
    for _ in {1..100}; do ask 'select 1' > /dev/null 2>&1 && break; sleep 0.1; done
    ask "create database sbtest; create user client@'127.0.0.1'; grant all on *.* to client@'127.0.0.1'"
    sysbench --db-driver=mysql --mysql-host=127.0.0.1 --mysql-port=$port --mysql-user=client --mysql-db=sbtest --tables=1 \
        --table-size=100000 oltp_point_select prepare > /dev/null
    trap - EXIT
    kill $!
    wait $! || true
    cp -a "$data" "$2/maria/pool"
    touch "$2/maria/made"
    exit
fi
case $3 in
threads) how="--thread-handling=one-thread-per-connection" ;;
pool) how="--thread-handling=pool-of-threads --thread-pool-size=1" ;;
*) echo "unknown form $3" >&2; exit 2 ;;
esac
server "$1/maria/$3" "$2" $how
