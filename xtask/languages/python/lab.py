#!/usr/bin/env python3
"""Servers and clients in Python: a thread per connection, and asyncio's streams or protocols.
lab.py serve --mode threads|streams|protocols [--protocol tcp|http|udp] [--bytes N] [--work N]
lab.py ask --mode threads|streams --port P [--connections N] [--requests N] and the same
lab.py spin-rate
README.md beside this folder says what all languages have in common."""
import os
import socket
import sys
import threading
import time

WORDS, UDP_THREADS = 128, 8
MASK = (1 << 64) - 1
END = b"\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

what = sys.argv[1] if len(sys.argv) > 1 else ""
flags = {"mode": "threads", "protocol": "tcp", "bytes": "64", "work": "0", "port": "0", "connections": "1", "requests": "0"}
for name, value in zip(sys.argv[2::2], sys.argv[3::2]):
    if name[2:] not in flags:
        sys.exit(2)
    flags[name[2:]] = value
mode, protocol = flags["mode"], flags["protocol"]
size, work_times, port, connections, requests = (
    int(flags[name]) for name in ("bytes", "work", "port", "connections", "requests"))
http, udp = protocol == "http", protocol == "udp"
answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
room = size + 512
jobs, errors = [], 0


class Job:
    """The work and the count of one connection. Only its owner writes."""
    __slots__ = ("scratch", "operations", "digest")

    def __init__(self):
        self.scratch, self.operations, self.digest = [0] * WORDS, 0, 0
        jobs.append(self)

    def perform(self, message):
        result = work(self.scratch, int.from_bytes(message[:8], "little"), work_times)
        self.digest = self.digest + result & MASK
        self.operations += 1


def work(scratch, state, times):
    for i in range(times):
        at = i % WORDS
        state = (state ^ scratch[at]) * 0x9E3779B97F4A7C15 & MASK
        state = (state << 23 | state >> 41) & MASK
        scratch[at] = state
    return state


def fail(why):
    global errors
    errors += 1
    print("lab:", why, file=sys.stderr)


def die(why):
    print("lab:", why, file=sys.stderr, flush=True)
    os._exit(1)


def whole(buffer, is_reply):
    """Where the message that begins the buffer ends; 0 while it is not whole."""
    if not http:
        return size if len(buffer) >= size else 0
    head = buffer.find(END) + len(END)
    if head < len(END):
        return 0
    if not is_reply:
        return head
    length = buffer[:head].partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
    total = head + int(length)
    return total if len(buffer) >= total else 0


def reply_to(job, buffer, length):
    """What is sent for the message that begins the buffer."""
    job.perform(buffer)
    return answer if http else buffer[:length]


def requests_of(number):
    """Each request of a connection."""
    sent, rest = 0, b"x" * (size - 8)
    while requests == 0 or sent < requests:
        sent += 1
        yield GET if http else (number << 40 | sent).to_bytes(8, "little") + rest


def take_reply(job, request, reply):
    if not http and reply != request:
        fail("a reply that differs from its request")
    job.perform(reply)


def start_thread(body, *words):
    def guarded():
        try:
            body(*words)
        except OSError as error:
            die(error)
    threading.Thread(target=guarded, daemon=True).start()


def serve_connection(connection):
    job, buffer = Job(), b""
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            while not (length := whole(buffer, False)):
                more = connection.recv(room)
                if not more:
                    return
                buffer += more
            connection.sendall(reply_to(job, buffer, length))
            buffer = buffer[length:]
    except OSError:
        pass
    finally:
        connection.close()


def accept_all(listener):
    while True:
        start_thread(serve_connection, listener.accept()[0])


def serve_datagrams(listener):
    job = Job()
    while True:
        message, peer = listener.recvfrom(room)
        job.perform(message)
        listener.sendto(message, peer)


def ask_blocking(connection, number):
    job = Job()
    for request in requests_of(number):
        connection.sendall(request)
        reply = connection.recv(room)
        while not whole(reply, True):
            more = connection.recv(room)
            if not more:
                die("the server closed a connection")
            reply += more
        take_reply(job, request, reply)


def connect():
    connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
    connection.connect(("127.0.0.1", port))
    if not udp:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


async def serve_stream(reader, writer):
    job, buffer = Job(), b""
    try:
        while True:
            while not (length := whole(buffer, False)):
                more = await reader.read(room)
                if not more:
                    return
                buffer += more
            writer.write(reply_to(job, buffer, length))
            await writer.drain()
            buffer = buffer[length:]
    except OSError:
        pass
    finally:
        writer.close()


async def ask_stream(number):
    import asyncio
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    job = Job()
    for request in requests_of(number):
        writer.write(request)
        await writer.drain()
        reply = await reader.read(room)
        while not whole(reply, True):
            more = await reader.read(room)
            if not more:
                die("the server closed a connection")
            reply += more
        take_reply(job, request, reply)


def loop_of(main):
    """Runs asyncio on a thread of its own: the main one answers the harness."""
    import asyncio
    # asyncio reads into 256 KiB. Where no larger block was ever freed, glibc maps each of them anew.
    bytearray(8 << 20)
    ready = threading.Event()
    found = []

    async def body():
        found.append(await main(asyncio.get_running_loop()))
        ready.set()
        await asyncio.Event().wait()

    def run():
        try:
            asyncio.run(body())
        except OSError as error:
            die(error)
    threading.Thread(target=run, daemon=True).start()
    ready.wait()
    return found[0]


async def serve_async(loop):
    import asyncio

    class Conversation(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport, self.job, self.buffer = transport, Job(), b""

        def data_received(self, data):
            self.buffer += data
            while length := whole(self.buffer, False):
                self.transport.write(reply_to(self.job, self.buffer, length))
                self.buffer = self.buffer[length:]

    class Datagrams(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport, self.job = transport, Job()

        def datagram_received(self, data, peer):
            self.job.perform(data)
            self.transport.sendto(data, peer)

    if udp:
        transport, _ = await loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", 0))
        return transport.get_extra_info("sockname")[1]
    if mode == "protocols":
        server = await loop.create_server(Conversation, "127.0.0.1", 0, backlog=4096)
    else:
        server = await asyncio.start_server(serve_stream, "127.0.0.1", 0, backlog=4096)
    return server.sockets[0].getsockname()[1]


def serve():
    if mode != "threads":
        return loop_of(serve_async)
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    if udp:
        for _ in range(UDP_THREADS):
            start_thread(serve_datagrams, listener)
    else:
        listener.listen(4096)
        start_thread(accept_all, listener)
    return listener.getsockname()[1]


def ask():
    if mode == "threads":
        for number in range(connections):
            start_thread(ask_blocking, connect(), number)
        return

    async def all_of_them(loop):
        ask.tasks = [loop.create_task(ask_stream(number)) for number in range(connections)]
    loop_of(all_of_them)


def spin_rate():
    scratch, times, fastest = [0] * WORDS, 20_000, float("inf")
    for i in range(20):
        begun = time.monotonic_ns()
        work(scratch, i, times)
        fastest = min(fastest, time.monotonic_ns() - begun)
    print('{"iterations_per_us":%f}' % (times * 1e3 / fastest))


def operations():
    return sum(job.operations for job in jobs)


def main():
    threading.stack_size(256 << 10)
    if what == "spin-rate":
        return spin_rate()
    if what == "serve":
        print('{"pid":%d,"port":%d}' % (os.getpid(), serve()), flush=True)
    elif what == "ask":
        ask()
        print('{"pid":%d,"warm":true}' % os.getpid(), flush=True)
    else:
        sys.exit(2)
    for line in iter(sys.stdin.readline, ""):
        if line == "count\n":
            print('{"operations":%d,"now_ns":%d}' % (operations(), time.monotonic_ns()), flush=True)
    digest = sum(job.digest for job in jobs) & MASK
    print('{"operations":%d,"errors":%d,"digest":"%016x"}' % (operations(), errors, digest), flush=True)
    os._exit(0)


main()
