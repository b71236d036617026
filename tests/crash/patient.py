"""A client on one connection that asks again, the same to the byte, until there is an answer that is none of the passing ones: what a good client does."""
import http.client
import json
import time

from harness.services import DEADLINE_S

PAUSE_S = 0.01


class Patient:
    def __init__(self, service):
        self.service = service
        self.connection = None

    def _ask(self, method, path, body, headers):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=30)
        self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def ask(self, method, path, body=None, token=None, key=None, **headers):
        """(status, body) of what is definite: neither 5xx nor 429."""
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        end = time.monotonic() + 2 * DEADLINE_S
        while True:
            try:
                status, told = self._ask(method, path, body, headers)
                if status < 500 and status != 429:
                    return status, told
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                self.connection = None
            assert time.monotonic() < end, f"{method} {path} has no answer"
            time.sleep(PAUSE_S)
