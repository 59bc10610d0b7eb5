"""Threads of CPython whose part is known.
roles.py compute  4 that compute, and fight over the interpreter's lock
roles.py serve    16 that serve a connection each; another process asks
roles.py timeout  the same with a limit on each read
It says "ready" and goes on for 30 s."""
import ctypes, os, select, socket, sys, threading, time

PR_SET_NAME = 15
CONNECTIONS = 16
libc = ctypes.CDLL(None)


def start(name, body, *args):
    def run():
        libc.prctl(PR_SET_NAME, name.encode(), 0, 0, 0)
        body(*args)
    threading.Thread(target=run, daemon=True).start()


def work(rounds):
    x = 1
    for i in range(rounds):
        x = (x * 31 + i) & 0xFFFFFFFF


def computes():
    while True:
        work(100_000)


def serves(connection):
    while True:
        got = connection.recv(64)
        if not got:
            return
        work(200)
        connection.sendall(got)


def asks(address, until):
    """Keeps a request in flight on each connection."""
    poll = select.epoll()
    mine = {}
    for _ in range(CONNECTIONS):
        one = socket.create_connection(address)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        mine[one.fileno()] = one
        poll.register(one, select.EPOLLIN)
        one.sendall(b"x" * 64)
    while time.monotonic() < until:
        for fd, _ in poll.poll(1):
            if not mine[fd].recv(64):
                return
            mine[fd].sendall(b"x" * 64)


def listens(limit):
    listener = socket.create_server(("127.0.0.1", 0))
    until = time.monotonic() + 30
    if os.fork() == 0:
        # The server's end is a reset here.
        try:
            asks(listener.getsockname(), until)
        finally:
            os._exit(0)
    for _ in range(CONNECTIONS):
        connection, _ = listener.accept()
        connection.settimeout(limit)
        start("serves", serves, connection)


kind = sys.argv[1] if len(sys.argv) == 2 else ""
if kind == "compute":
    for _ in range(4):
        start("computes", computes)
elif kind in ("serve", "timeout"):
    listens(30 if kind == "timeout" else None)
else:
    sys.exit(2)
print("ready", flush=True)
time.sleep(30)
os._exit(0)
