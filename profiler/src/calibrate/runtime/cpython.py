"""The child of `should-i-async calibrate --runtime`: a server that sends messages back, in each form
that Python offers. It is given its connections, and has no other business.

Arguments: the descriptor of the first connection, and how many there are. It says its version and
its forms in a line. Then a line "FORM CONNECTIONS ROUNDS BATCHES IDLE QUIET" starts a form: the child
says "r", answers BATCHES batches of one message on each of the connections, says "." after each unless
QUIET is 1, and "e" once the form has ended. ROUNDS are those of a loop for each message, IDLE is the
time-out of each read, s, or 0. It ends with its stdin."""
import os
import socket
import sys

SIZE = 64
# Threads of the pool.
POOL = 16
FIRST, COUNT = int(sys.argv[1]), int(sys.argv[2])


def work(rounds):
    x = 1
    for i in range(rounds):
        x = (x * 31 + i) & 0xFFFFFFFF
    return x


def said(what):
    os.write(1, what)


class Batches:
    """Counts the messages, and says when a batch is answered, and when all are."""

    quiet = False

    def __init__(self, connections, batches, over):
        self.connections, self.left, self.over, self.answered = connections, batches, over, 0

    def one(self):
        self.answered += 1
        if self.answered == self.connections:
            self.answered, self.left = 0, self.left - 1
            if not self.left:
                self.over()
            if not self.quiet:
                said(b".")


def blocking(sockets, rounds, batches, idle):
    done = []
    count = Batches(len(sockets), batches, lambda: done.append(1))
    said(b"r")
    while not done:
        for s in sockets:
            data = b""
            while len(data) < SIZE:
                more = s.recv(65536)
                if not more:
                    return
                data += more
            work(rounds)
            s.sendall(data)
            count.one()


def streams(sockets, rounds, batches, idle):
    import asyncio

    async def serve(s, count, over):
        reader, writer = await asyncio.open_connection(sock=s)
        try:
            while True:
                data = reader.readexactly(SIZE)
                data = await (asyncio.wait_for(data, idle) if idle else data)
                work(rounds)
                writer.write(data)
                await writer.drain()
                count.one()
        finally:
            writer.close()

    async def main():
        loop = asyncio.get_running_loop()
        over = loop.create_future()
        count = Batches(len(sockets), batches, lambda: over.done() or over.set_result(None))
        tasks = [loop.create_task(serve(s, count, over)) for s in sockets]
        await asyncio.sleep(0.001)
        said(b"r")
        await over
        for t in tasks:
            t.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())


def protocols(sockets, rounds, batches, idle, new=None):
    import asyncio

    async def main():
        loop = asyncio.get_running_loop()
        over = loop.create_future()
        count = Batches(len(sockets), batches, lambda: over.done() or over.set_result(None))

        class Serve(asyncio.Protocol):
            def connection_made(self, transport):
                self.transport, self.data = transport, b""

            def data_received(self, data):
                if idle:
                    self.last = loop.time()
                self.data += data
                while len(self.data) >= SIZE:
                    head, self.data = self.data[:SIZE], self.data[SIZE:]
                    work(rounds)
                    self.transport.write(head)
                    count.one()

        made = [await loop.create_connection(Serve, sock=s) for s in sockets]
        said(b"r")
        await over
        for transport, _ in made:
            transport.close()
        await asyncio.sleep(0.001)

    if new is None:
        asyncio.run(main())
    else:
        loop = new()
        try:
            loop.run_until_complete(main())
        finally:
            loop.close()


def uvloop(sockets, rounds, batches, idle):
    import uvloop
    protocols(sockets, rounds, batches, idle, uvloop.new_event_loop)


def gevent(sockets, rounds, batches, idle):
    import gevent
    import gevent.event
    import gevent.socket
    over = gevent.event.Event()
    count = Batches(len(sockets), batches, over.set)

    def serve(s):
        if idle:
            s.settimeout(idle)
        while True:
            data = b""
            while len(data) < SIZE:
                more = s.recv(65536)
                if not more:
                    return
                data += more
            work(rounds)
            s.sendall(data)
            count.one()

    own = [gevent.socket.socket(fileno=s.detach()) for s in sockets]
    tasks = [gevent.spawn(serve, s) for s in own]
    gevent.sleep(0.001)
    said(b"r")
    over.wait()
    gevent.killall(tasks)
    for s in own:
        s.close()


def pooled(sockets, rounds, batches, idle):
    """A loop that waits, and hands what is ready to a pool of threads."""
    import selectors
    import threading
    from concurrent.futures import ThreadPoolExecutor
    over = []
    lock = threading.Lock()
    ready = selectors.DefaultSelector()
    count = Batches(len(sockets), batches, lambda: over.append(1))

    def serve(s):
        data = b""
        while len(data) < SIZE:
            more = s.recv(65536)
            if not more:
                return s
            data += more
        work(rounds)
        s.sendall(data)
        return s

    def served(job):
        with lock:
            ready.register(job.result(), selectors.EVENT_READ)
            count.one()

    for s in sockets:
        ready.register(s, selectors.EVENT_READ)
    with ThreadPoolExecutor(POOL) as pool:
        said(b"r")
        while not over:
            for key, _ in ready.select(0.01):
                with lock:
                    ready.unregister(key.fileobj)
                pool.submit(serve, key.fileobj).add_done_callback(served)
    ready.close()


FORMS = {f.__name__: f for f in (blocking, streams, protocols, uvloop, gevent, pooled)}


def has(name):
    try:
        __import__(name)
        return True
    except Exception:
        return False


def main():
    # asyncio reads into 256 KiB. Where no larger block was ever freed, glibc maps each of them
    # anew.
    bytearray(8 << 20)
    there = ["blocking", "streams", "protocols", "pooled"] + [n for n in ("uvloop", "gevent") if has(n)]
    said(("%d.%d.%d %s\n" % (sys.version_info[:3] + (" ".join(there),))).encode())
    for line in sys.stdin:
        form, connections, rounds, batches, idle, quiet = line.split()
        Batches.quiet = quiet == "1"
        sockets = [socket.socket(fileno=os.dup(FIRST + i)) for i in range(int(connections))]
        for s in sockets:
            blocks = form in ("blocking", "pooled")
            s.setblocking(blocks)
            if blocks and float(idle):
                s.settimeout(float(idle))
        FORMS[form](sockets, int(rounds), int(batches), float(idle))
        for s in sockets:
            if s.fileno() >= 0:
                s.close()
        said(b"e")


main()
