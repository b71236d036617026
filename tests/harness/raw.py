"""HTTP by hand: what a decent client never sends, byte by byte, and many requests that end in the same instant."""
import selectors
import socket
import time

DEADLINE_S = 60


class RawAnswer:
    def __init__(self, status, headers, body, head):
        self.status = status
        self.headers = headers  # a list of pairs, in their order
        self.body = body
        self.head = head

    def header(self, name):
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(found) <= 1, f"{name} stands {len(found)} times"
        return found[0] if found else None


def request_bytes(method, target, headers=None, body=None, host="127.0.0.1", version="HTTP/1.1"):
    """A right request; `headers` is a mapping or pairs."""
    fields = list(headers.items() if hasattr(headers, "items") else headers or [])
    if host is not None:
        fields.insert(0, ("Host", host))
    if body is not None:
        fields.append(("Content-Length", str(len(body))))
    lines = [f"{method} {target} {version}".encode("latin-1")]
    lines += [name.encode("latin-1") + b": " + (value if isinstance(value, bytes) else value.encode("latin-1")) for name, value in fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def parse_head(head):
    lines = head.decode("latin-1").split("\r\n")
    version, status, *_ = lines[0].split(" ", 2)
    assert version in ("HTTP/1.1", "HTTP/1.0"), lines[0]
    pairs = [line.partition(":") for line in lines[1:]]
    return int(status), [(name, value.strip()) for name, _, value in pairs]


class RawConnection:
    def __init__(self, port, deadline_s=DEADLINE_S, source=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=deadline_s, source_address=(source, 0) if source else None)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _fill(self):
        piece = self.socket.recv(65536)
        self.buffer += piece
        return piece != b""

    def read_answer(self, method="GET"):
        """The next answer; None when the service closed the connection without one."""
        while True:
            while b"\r\n\r\n" not in self.buffer:
                try:
                    if not self._fill():
                        assert self.buffer == b"", self.buffer
                        return None
                except ConnectionResetError:
                    return None
            head, _, rest = self.buffer.partition(b"\r\n\r\n")
            status, headers = parse_head(head)
            if status != 100:
                break
            self.buffer = rest
        lengths = [int(value) for name, value in headers if name.lower() == "content-length"]
        length = 0 if method == "HEAD" or status in (204, 304) else lengths[0] if lengths else 0
        while len(rest) < length:
            assert self._fill(), "closed in the middle of a body"
            rest = self.buffer.partition(b"\r\n\r\n")[2]
        self.buffer = rest[length:]
        return RawAnswer(status, headers, rest[:length], head)

    def is_closed(self):
        """Waits for the service's close; True when nothing more came before it."""
        try:
            return self.buffer == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def ask(port, data, method="GET"):
    """One connection, one request, one answer."""
    with RawConnection(port) as connection:
        connection.send(data)
        return connection.read_answer(method)


def at_once(port, requests, deadline_s=DEADLINE_S, source=None):
    """Sends all but the last byte of each on a connection of its own (from the address `source`), then all last bytes; the answers in the same order,
    None for none."""
    connections = []
    try:
        for data in requests:
            connection = RawConnection(port, deadline_s, source)
            connections.append(connection)
            connection.send(data[:-1])
        for connection, data in zip(connections, requests):
            connection.send(data[-1:])
        _wait_for_all(connections, deadline_s)
        return [connection.read_answer() for connection in connections]
    finally:
        for connection in connections:
            connection.socket.close()


def _wait_for_all(connections, deadline_s):
    """Until each has something to read, so that the first slow answer does not eat the deadline of all."""
    end = time.monotonic() + deadline_s
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ)
        waiting = len(connections)
        while waiting > 0:
            left = end - time.monotonic()
            assert left > 0, f"{waiting} of {len(connections)} had no answer within {deadline_s} s"
            for key, _ in selector.select(left):
                selector.unregister(key.fileobj)
                waiting -= 1
