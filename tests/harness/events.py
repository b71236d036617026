"""Server-Sent Events, as a listener reads them (WHATWG HTML, section 9.2.6): blocks of fields, and comments."""
import json

import requests

from .services import DEADLINE_S


class Event:
    def __init__(self, fields):
        self.name = fields.get("event", "message")
        self.id = int(fields["id"])
        self.data = json.loads(fields["data"])

    def __repr__(self):
        return f"{self.name} {self.id}"


class Events:
    """One stream; `last_id` is what a browser sends when it comes back."""

    def __init__(self, client, campaign_id, last_id=None, session=None):
        headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {client.token}"}
        if last_id is not None:
            headers["Last-Event-ID"] = str(last_id)
        self.answer = (session or requests).get(f"{client.base_url}/v1/campaigns/{campaign_id}/events", headers=headers, stream=True, timeout=DEADLINE_S)
        self.comments = 0
        self.lines = self.answer.iter_lines(chunk_size=1)

    def __enter__(self):
        assert self.answer.status_code == 200, self.answer.text
        assert self.answer.headers["Content-Type"] == "text/event-stream"
        return self

    def __exit__(self, *_):
        self.answer.close()

    def __iter__(self):
        """Ends when the service ends it; raises when it was cut off."""
        fields = {}
        for line in self.lines:
            line = line.decode()
            if line.startswith(":"):
                self.comments += 1
            elif line:
                name, _, value = line.partition(": ")
                assert name in ("id", "event", "data") and name not in fields, line
                fields[name] = value
            elif fields:
                yield Event(fields)
                fields = {}
        assert not fields, "the last event has no end"

    def next(self):
        return next(iter(self))

    def until(self, condition):
        """All up to the first that it is true of."""
        seen = []
        for event in self:
            seen.append(event)
            if condition(event):
                return seen
        raise AssertionError(f"the stream has ended after {seen}")

    def wait_comment(self):
        for line in self.lines:
            if line.startswith(b":"):
                return
        raise AssertionError("the stream has ended")
