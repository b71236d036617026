"""A service in the tests' hands: what it answers is up to the test, and it remembers what it was asked."""
import http.server
import json
import threading


class FakeService:
    """`answers` maps "METHOD /path" to a function (headers, body) → (status, body) or (status, body, headers), or None to hang up; what is missing is 404."""

    def __init__(self, port=0):
        self.answers = {}
        self.requests = []
        self._lock = threading.Lock()
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                name = f"{self.command} {self.path}"
                with fake._lock:
                    fake.requests.append((name, dict(self.headers), body))
                answer = fake.answers.get(name, lambda headers, body: (404, {"code": "route_not_found"}))(dict(self.headers), body)
                if answer is None:
                    self.close_connection = True
                    return
                status, value, *headers = answer
                data = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                for field, text in (headers[0] if headers else {}).items():
                    self.send_header(field, text)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def asked(self, name):
        """[(headers, body)] of the requests of this name."""
        with self._lock:
            return [(headers, body) for asked, headers, body in self.requests if asked == name]

    def end(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
