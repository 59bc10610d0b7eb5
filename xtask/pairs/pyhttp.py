#!/usr/bin/env python3
"""A small HTTP/1.1 keep-alive server in several forms.
pyhttp.py --port N --form threads|streams|protocols|uvloop-streams|uvloop-protocols|gevent [--timeout S] [--work N]
threads: a thread per connection on plain sockets; gevent: the same code under monkey.patch_all().
--timeout: settimeout(S) on each connection (threads, gevent); an idle limit in the others too.
--work: rounds of a small Python loop per request."""
import argparse, os, signal, sys

ap = argparse.ArgumentParser()
ap.add_argument("--port", type=int, default=8080)
ap.add_argument("--form", default="threads", choices=["threads", "streams", "protocols",
    "uvloop-streams", "uvloop-protocols", "gevent"])
ap.add_argument("--timeout", type=float, default=0)
ap.add_argument("--work", type=int, default=0)
arg = ap.parse_args()

BODY = b"x" * 99 + b"\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
BAD = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
END = b"\r\n\r\n"


def respond(head):
    """Answer bytes and whether to go on, for one request head."""
    line, *fields = head.split(b"\r\n")
    part = line.split(b" ")
    if len(part) != 3 or part[0] != b"GET":
        return BAD, False
    keep = part[2] == b"HTTP/1.1"
    for f in fields:
        name, _, value = f.partition(b":")
        if name.lower() == b"connection":
            keep = value.strip().lower() != b"close"
    x = 1
    for i in range(arg.work):
        x = (x * 31 + i) & 0xFFFFFFFF
    return ANSWER, keep


def ready():
    print("ready", flush=True)


def run_threads():
    import socket, threading
    lst = socket.socket()
    lst.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    lst.bind(("127.0.0.1", arg.port))
    lst.listen(1024)

    def serve(s):
        buf = b""
        try:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if arg.timeout:
                s.settimeout(arg.timeout)
            while True:
                at = buf.find(END)
                while at < 0:
                    more = s.recv(65536)
                    if not more:
                        return
                    buf += more
                    at = buf.find(END)
                out, keep = respond(buf[:at])
                buf = buf[at + 4:]
                s.sendall(out)
                if not keep:
                    return
        except OSError:
            pass
        finally:
            s.close()

    ready()
    while True:
        s, _ = lst.accept()
        threading.Thread(target=serve, args=(s,), daemon=True).start()


async def run_streams():
    import asyncio

    async def serve(r, w):
        try:
            while True:
                get = r.readuntil(END)
                head = await (asyncio.wait_for(get, arg.timeout) if arg.timeout else get)
                out, keep = respond(head[:-4])
                w.write(out)
                await w.drain()
                if not keep:
                    return
        except (asyncio.IncompleteReadError, asyncio.TimeoutError, asyncio.LimitOverrunError, OSError):
            pass
        finally:
            w.close()

    srv = await asyncio.start_server(serve, "127.0.0.1", arg.port, backlog=1024)
    ready()
    await srv.serve_forever()


async def run_protocols():
    import asyncio
    loop = asyncio.get_running_loop()

    class Http(asyncio.Protocol):
        def connection_made(self, t):
            self.t, self.buf, self.last, self.timer = t, b"", loop.time(), None
            if arg.timeout:
                self.timer = loop.call_later(arg.timeout, self.check)

        def check(self):
            left = self.last + arg.timeout - loop.time()
            if left <= 0:
                self.t.abort()
            else:
                self.timer = loop.call_later(left, self.check)

        def data_received(self, data):
            self.last = loop.time()
            self.buf += data
            while (at := self.buf.find(END)) >= 0:
                out, keep = respond(self.buf[:at])
                self.buf = self.buf[at + 4:]
                self.t.write(out)
                if not keep:
                    self.t.close()
                    return

        def connection_lost(self, exc):
            if self.timer:
                self.timer.cancel()

    srv = await loop.create_server(Http, "127.0.0.1", arg.port, backlog=1024)
    ready()
    await srv.serve_forever()


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
if arg.form == "gevent":
    from gevent import monkey
    monkey.patch_all()
    import gevent
    gevent.signal_handler(signal.SIGTERM, os._exit, 0)
if arg.form in ("threads", "gevent"):
    run_threads()
else:
    import asyncio
    if arg.form.startswith("uvloop"):
        import uvloop
        new = uvloop.new_event_loop
    else:
        new = asyncio.new_event_loop
    loop = new()
    loop.add_signal_handler(signal.SIGTERM, os._exit, 0)
    loop.run_until_complete(run_streams() if arg.form.endswith("streams") else run_protocols())
