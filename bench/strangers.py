"""One stranger with all the connections it can get, and how long somebody else waits meanwhile for a new connection and an answer."""
import collections
import contextlib
import pathlib
import resource
import select
import socket
import subprocess
import sys
import time

STRANGER = "127.0.0.9"
IP_BIND_ADDRESS_NO_PORT = 24  # <linux/in.h>; Python names it from 3.13 on
BODY_BYTES = 64 * 1024
PIPELINED = 20
BODY_HEAD = (f"POST /v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {BODY_BYTES}\r\n\r\n").encode()
WORDS = {
    "idle": b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: a\r\n\r\n",
    "bodies": BODY_HEAD + b"x" * (BODY_BYTES - 1),
    "unread": b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * PIPELINED,
}


class Crowd:
    """`count` connections, each of which has said its words and does nothing more; who is thrown out comes again."""

    def __init__(self, port, kind, count):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        self.port, self.words = port, WORDS[kind]
        self.sockets = collections.deque()
        for _ in range(min(count, limit - 512)):
            self._connect()

    def _connect(self):
        """The port is chosen by connect: bind looks for one for 3 to 6 ms of a processor when the address has so many, and would take half of one from
        those who are measured."""
        one = socket.socket()
        self.sockets.append(one)
        one.settimeout(5)
        one.setsockopt(socket.SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        one.bind((STRANGER, 0))
        one.connect(("127.0.0.1", self.port))
        with contextlib.suppress(OSError):
            one.sendall(self.words)

    def come_again(self):
        """A hundred times a second, in the place of its oldest, until nobody listens any more."""
        while not select.select([sys.stdin], [], [], 0.01)[0]:
            with contextlib.suppress(OSError):
                self.sockets.popleft().close()
                self._connect()


class Stranger:
    """The crowd, in a process of its own: one interpreter that holds so many sockets and asks itself would be what is measured."""

    def __init__(self, port, kind, count):
        self.words = [sys.executable, "-m", "bench.strangers", str(port), kind, str(count)]

    def __enter__(self):
        folder = pathlib.Path(__file__).parent.parent
        self.process = subprocess.Popen(self.words, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n", "the stranger found no place"
        return self

    def __exit__(self, *_):
        self.process.communicate(b"")
        assert self.process.returncode == 0


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


if __name__ == "__main__":
    crowd = Crowd(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    print("ready", flush=True)
    crowd.come_again()
