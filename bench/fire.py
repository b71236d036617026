"""Sends requests with bench/fire.c and reads what it says; measures the servers' CPU time meanwhile."""
import json
import subprocess

from .servers import BUILD

SLACK_S = 60


def request(method, path, token=None, body=None, key=None, forwarded=None):
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    if token:
        head += f"Authorization: Bearer {token}\r\n"
    if key:
        head += f"Idempotency-Key: {key}\r\n"
    if forwarded:
        head += f"X-Forwarded-For: {forwarded}\r\n"
    if body is None:
        return (head + "\r\n").encode()
    data = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    return head.encode() + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data) + data


def write_requests(path, requests):
    with open(path, "wb") as file:
        for one in requests:
            file.write(b"%d\n" % len(one))
            file.write(one)
    return path


def command(port, path, connections, count, seconds, *more):
    return [str(word) for word in (BUILD / "bench" / "fire", port, path, connections, count, int(seconds * 1000), *more)]


def begin(*arguments):
    return subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, text=True)


def end(process, deadline_s=600):
    output, _ = process.communicate(timeout=deadline_s)
    assert process.returncode == 0, "fire failed"
    return json.loads(output.splitlines()[-1])


def fire(servers, port, path, connections, count, seconds, *more):
    """One measurement: the generator's report with the rate and each server's CPU time per answer, in microseconds."""
    before = [server.cpu_s() for server in servers]
    report = end(begin(port, path, connections, count, seconds, *more), seconds + SLACK_S)
    after = [server.cpu_s() for server in servers]
    answers = max(report["answers"], 1)
    assert report["broken"] == 0 and report["unanswered"] == 0, f"connections broke: {report}"
    report["rate"] = report["answers"] / report["seconds"]
    report["cpu_each_us"] = {server.name: (late - early) / answers * 1e6 for server, early, late in zip(servers, before, after)}
    report["cpu_us"] = sum(report["cpu_each_us"].values())
    return report


def expect(report, *statuses):
    """Every answer was one of these."""
    found = {int(status): row["count"] for status, row in report["statuses"].items()}
    assert found and set(found) <= set(statuses), f"answers {found}, expected only {statuses}"
    return report
