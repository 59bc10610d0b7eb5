//! Servers that a load asks on kept connections: most of them over HTTP.

use super::{
    needs::Need,
    pair::{CLOSED_8, CLOSED_64, CLOSED_250, OPEN_FEW, OPEN_HALF, Pair, SERVER, Speaks, form},
    program::Counted,
};
use crate::harness::row::Scenario;

const PYTHON: &[Need] =
    &[Need::Debian(&["python3-venv"]), Need::Python(&["gevent", "uvloop", "gunicorn", "packaging"])];
const TRIXIE: &[Need] = &[
    Need::Root { suite: "trixie", packages: &["openjdk-25-jdk-headless", "tomcat10"] },
    Need::Java { suite: "trixie", source: "Server.java" },
];
pub(super) const PAIRS: &[Pair] = &[
    Pair {
        id: "mhd",
        needs: &[
            Need::Debian(&["libmicrohttpd-dev", "gcc", "libc6-dev"]),
            Need::Built { compiler: "cc", source: "mhd.c", flags: &["-lmicrohttpd"] },
        ],
        blocking: form("threads", "{at}/mhd --port {port} --form threads"),
        async_forms: &[(form("epoll", "{at}/mhd --port {port} --form epoll"), Scenario::Level)],
        loads: &[CLOSED_64, CLOSED_8, CLOSED_250, OPEN_HALF],
        ..SERVER
    },
    Pair {
        id: "python",
        needs: PYTHON,
        blocking: form("threads", "{at}/venv/bin/python {sources}/pyhttp.py --port {port} --form threads"),
        async_forms: &[
            (
                form("streams", "{at}/venv/bin/python {sources}/pyhttp.py --port {port} --form streams"),
                Scenario::Streams,
            ),
            (
                form("protocols", "{at}/venv/bin/python {sources}/pyhttp.py --port {port} --form protocols"),
                Scenario::Protocols,
            ),
            (
                form("uvloop", "{at}/venv/bin/python {sources}/pyhttp.py --port {port} --form uvloop-protocols"),
                Scenario::Uvloop,
            ),
            (form("gevent", "{at}/venv/bin/python {sources}/pyhttp.py --port {port} --form gevent"), Scenario::Gevent),
        ],
        loads: &[CLOSED_64, CLOSED_8, OPEN_FEW],
        ..SERVER
    },
    Pair {
        id: "python-timeout",
        needs: PYTHON,
        blocking: form("threads", "{at}/venv/bin/python {sources}/pyhttp.py --port {port} --form threads --timeout 30"),
        async_forms: &[(
            form("gevent", "{at}/venv/bin/python {sources}/pyhttp.py --port {port} --form gevent --timeout 30"),
            Scenario::Gevent,
        )],
        ..SERVER
    },
    Pair {
        id: "gunicorn",
        needs: PYTHON,
        blocking: form(
            "gthread",
            "{at}/venv/bin/gunicorn --chdir {sources} --bind 127.0.0.1:{port} --workers 1 --worker-class gthread --threads 64 \
             --keep-alive 75 --log-level error wsgi_app:app",
        ),
        async_forms: &[(
            form(
                "gevent",
                "{at}/venv/bin/gunicorn --chdir {sources} --bind 127.0.0.1:{port} --workers 1 --worker-class gevent --keep-alive 75 \
                 --log-level error wsgi_app:app",
            ),
            Scenario::Gevent,
        )],
        loads: &[CLOSED_64, CLOSED_8, OPEN_HALF],
        ..SERVER
    },
    Pair {
        id: "java",
        needs: TRIXIE,
        blocking: form(
            "platform",
            "unshare --mount sh -c \"mount -t proc proc {at}/trixie/proc && exec chroot {at}/trixie java -cp /pairs Server --port {port} --form platform\"",
        ),
        async_forms: &[(
            form(
                "virtual",
                "unshare --mount sh -c \"mount -t proc proc {at}/trixie/proc && exec chroot {at}/trixie java -cp /pairs Server --port {port} --form virtual\"",
            ),
            Scenario::Virtual,
        )],
        loads: &[CLOSED_64, CLOSED_8, OPEN_HALF, OPEN_FEW],
        warm_up: 20,
        ..SERVER
    },
    Pair {
        id: "java-timeout",
        needs: TRIXIE,
        blocking: form(
            "platform",
            "unshare --mount sh -c \"mount -t proc proc {at}/trixie/proc && exec chroot {at}/trixie java -cp /pairs Server --port {port} --form platform --timeout 30\"",
        ),
        async_forms: &[(
            form(
                "virtual",
                "unshare --mount sh -c \"mount -t proc proc {at}/trixie/proc && exec chroot {at}/trixie java -cp /pairs Server --port {port} --form virtual --timeout 30\"",
            ),
            Scenario::Virtual,
        )],
        warm_up: 20,
        ..SERVER
    },
    Pair {
        id: "tomcat",
        needs: TRIXIE,
        blocking: form("platform", "unshare --mount {sources}/tomcat.sh {at}/trixie {sources} {port} platform"),
        async_forms: &[(
            form("virtual", "unshare --mount {sources}/tomcat.sh {at}/trixie {sources} {port} virtual"),
            Scenario::Tasks,
        )],
        speaks: Speaks::Http("/fixed"),
        warm_up: 20,
        ..SERVER
    },
    Pair {
        id: "asio",
        needs: &[
            Need::Debian(&["libboost-dev", "g++"]),
            Need::Built { compiler: "c++", source: "asio.cpp", flags: &["-std=c++17", "-lpthread"] },
        ],
        blocking: form("threads", "{at}/asio --port {port} --form threads"),
        async_forms: &[(form("async", "{at}/asio --port {port} --form async"), Scenario::Level)],
        loads: &[CLOSED_64, CLOSED_8, OPEN_HALF],
        ..SERVER
    },
    Pair {
        id: "apache",
        needs: &[Need::Debian(&["apache2-bin"])],
        blocking: form("worker", "{sources}/apache.sh {at} {port} worker"),
        async_forms: &[(form("event", "{sources}/apache.sh {at} {port} event"), Scenario::Pooled)],
        speaks: Speaks::Http("/fixed"),
        ..SERVER
    },
    Pair {
        id: "uwsgi",
        needs: &[Need::Debian(&["uwsgi-core", "uwsgi-plugin-python3", "uwsgi-plugin-gevent-python3"])],
        blocking: form(
            "threads",
            "uwsgi-core --plugin python3 --plugin http --http 127.0.0.1:{port} --http-keepalive=60 --http-to {at}/uwsgi-{port} \
             --socket {at}/uwsgi-{port} --master --die-on-term --need-app --disable-logging --chdir {sources} --wsgi-file wsgi_app.py \
             --processes 1 --listen 1024 --enable-threads --threads 64",
        ),
        async_forms: &[(
            form(
                "gevent",
                "uwsgi-core --plugin python3,gevent_python3 --plugin http --http 127.0.0.1:{port} --http-keepalive=60 --http-to \
                 {at}/uwsgi-{port} --socket {at}/uwsgi-{port} --master --die-on-term --need-app --disable-logging --chdir {sources} \
                 --wsgi-file wsgi_app.py --processes 1 --listen 1024 --gevent 1000 --gevent-monkey-patch",
            ),
            Scenario::Gevent,
        )],
        ..SERVER
    },
    // A server with MySQL's protocol: sysbench asks for one row at a time.
    Pair {
        id: "mariadb",
        needs: &[
            Need::Debian(&["mariadb-server-core", "mariadb-client-core", "sysbench"]),
            Need::Made { script: "maria.sh", made: "maria/made" },
        ],
        blocking: form("threads", "{sources}/maria.sh {at} {port} threads"),
        async_forms: &[(form("pool", "{sources}/maria.sh {at} {port} pool"), Scenario::Shared)],
        counted: Counted::Asked(
            "sh -c \"mariadb --no-defaults -h 127.0.0.1 -P {port} -u client -e status | sed -n 's/.*Questions: *//p' | sed 's/ .*//'\"",
        ),
        speaks: Speaks::Public(
            "sysbench --db-driver=mysql --mysql-host=127.0.0.1 --mysql-port={port} --mysql-user=client --mysql-db=sbtest \
             --tables=1 --table-size=100000 --threads={many} --time=3600 oltp_point_select run",
        ),
        ..SERVER
    },
];
