"""Those who watch a campaign: connections to its events, read as fast as anything comes, by a process of their own."""
import multiprocessing
import selectors
import socket

READ_BYTES = 1 << 16


def listen(port, path, token, count, opened, ended, reports):
    selector = selectors.DefaultSelector()
    for _ in range(count):
        listener = socket.create_connection(("127.0.0.1", port), 10)
        listener.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        listener.setblocking(False)
        selector.register(listener, selectors.EVENT_READ)
    while not ended.is_set():
        for key, _ in selector.select(0.1):
            read = key.fileobj.recv(READ_BYTES)
            assert read, "a stream has ended"
            reports.value += read.count(b"event: report")
        if reports.value >= count:
            opened.set()


class Listeners:
    """So many, each of whom has been told something when it begins."""

    def __init__(self, port, path, token, count):
        self.opened, self.ended = multiprocessing.Event(), multiprocessing.Event()
        self.reports = multiprocessing.Value("q", 0)
        self.process = multiprocessing.Process(target=listen, args=(port, path, token, count, self.opened, self.ended, self.reports))
        self.count = count

    def __enter__(self):
        self.process.start()
        assert self.opened.wait(30), "not all of them hear anything"
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.process.join(30)
        assert self.process.exitcode == 0 and self.reports.value >= self.count
