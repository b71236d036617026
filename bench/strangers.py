"""One stranger with all the connections it can get, and how long somebody else waits meanwhile for a new connection and an answer."""
import contextlib
import resource
import socket
import threading
import time

STRANGER = "127.0.0.9"
BODY_BYTES = 64 * 1024
PIPELINED = 20
BODY_HEAD = (f"POST /v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {BODY_BYTES}\r\n\r\n").encode()
WORDS = {
    "idle": b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: a\r\n\r\n",
    "bodies": BODY_HEAD + b"x" * (BODY_BYTES - 1),
    "unread": b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * PIPELINED,
}


class Stranger:
    """Holds `count` connections, each of which has said its words and does nothing more; who is thrown out comes again."""

    def __init__(self, port, kind, count):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        self.port, self.words, self.count = port, WORDS[kind], min(count, limit - 512)
        self.stopped = threading.Event()
        self.sockets = []
        self.thread = threading.Thread(target=self._come_again, daemon=True)

    def _connect(self):
        one = socket.create_connection(("127.0.0.1", self.port), timeout=5, source_address=(STRANGER, 0))
        self.sockets.append(one)
        with contextlib.suppress(OSError):
            one.sendall(self.words)

    def _come_again(self):
        """A hundred times a second, in the place of its oldest."""
        while not self.stopped.wait(0.01):
            with contextlib.suppress(OSError):
                self.sockets.pop(0).close()
                self._connect()

    def __enter__(self):
        for _ in range(self.count):
            self._connect()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()
        for one in self.sockets:
            one.close()


def honest(port, seconds):
    """p50 and p99 of a new connection, its request and its answer."""
    waits_us = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        with socket.create_connection(("127.0.0.1", port), timeout=60) as one:
            one.sendall(b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            while one.recv(65536):
                pass
        waits_us.append((time.monotonic() - begin) * 1e6)
        time.sleep(0.001)
    waits_us.sort()
    return {"all": {"p50_us": waits_us[len(waits_us) // 2], "p99_us": waits_us[len(waits_us) * 99 // 100]}}
