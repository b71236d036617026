"""The commands of a document, pasted as they stand there, answer as it stands there.

Each ```sh block is run, in the document's order, in one shell, and each ```python and ```typescript block as a program; the ```json, ```csv or ```text block behind
it is what comes of it. A comment before a block says otherwise: `<!-- not run: why -->`, or `<!-- runs on -->` of a service in the foreground, which must become
ready and end well."""
import json
import os
import re
import signal
import subprocess
import threading

from harness.services import DEADLINE_S, ROOT, free_port, wait_until

BLOCK = re.compile(r"(?:<!-- (?P<mark>[^>]*?) -->\n)?```(?P<kind>sh|python|typescript|json|csv|text)\n(?P<text>.*?)```\n", re.DOTALL)
END_OF_BLOCK = "end of the block"


# Programs as commands: a file, and what runs it. The compiler's findings are failures.
PROGRAMS = {
    "python": ("redeem.py", "/usr/bin/python3 redeem.py"),
    "typescript": ("redeem.mts", "npx tsc --strict --module nodenext redeem.mts\nnode redeem.mjs"),
}


def blocks(document):
    """[(mark, kind, text, what it prints or None)], in their order."""
    found = []
    for match in BLOCK.finditer((ROOT / document).read_text()):
        if match["kind"] in ("json", "csv") or (match["kind"] == "text" and found and found[-1][1] in PROGRAMS):
            assert found and found[-1][3] is None, f"{document}: an answer without commands: {match['text']}"
            found[-1] = (*found[-1][:3], match["text"])
        elif match["kind"] != "text":
            found.append((match["mark"] or "", match["kind"], match["text"], None))
    return found


ID_OR_TIME = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+Z"
UNIQUE_CODE = r"\b[0-9A-Z]{4}(-[0-9A-Z]{4}){2}\b"


def shape(value):
    """Names and kinds of an answer; ids and times differ each time, what else stands there is compared as well."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shape(member) for member in value]
    if isinstance(value, str) and re.fullmatch(ID_OR_TIME, value):
        return "an id or a time"
    return value


class Shell:
    """One shell for all the blocks of a document, as in somebody's terminal."""

    def __init__(self, folder, changes, variables=None, deadline_s=DEADLINE_S):
        self.changes = changes
        self.deadline_s = deadline_s
        environment = {**os.environ, "PATH": f"{ROOT / 'build'}:{os.environ['PATH']}", **(variables or {})}  # as a package puts the programs there
        self.process = subprocess.Popen(["bash", "--norc"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)

    def as_here(self, commands):
        for there, here in self.changes.items():
            commands = commands.replace(there, str(here))
        return commands

    def paste(self, commands):
        """What it prints; fails with the block's exit code."""
        self.process.stdin.write(f"set -e\n{self.as_here(commands)}\nset +e\nprintf '\\n%s\\n' '{END_OF_BLOCK}'\n")  # an answer need not end its line
        self.process.stdin.flush()
        lines = []
        too_late = threading.Timer(self.deadline_s, self.process.kill)
        too_late.start()
        try:
            for line in self.process.stdout:
                if line.strip() == END_OF_BLOCK:
                    return "".join(lines)
                lines.append(line)
        finally:
            too_late.cancel()
        raise AssertionError(f"{commands}\nended with {self.process.wait()}:\n{''.join(lines)}")

    def end(self):
        self.process.stdin.close()
        self.process.wait(DEADLINE_S)


def run_on(shell, commands, folder):
    """A service in the foreground: ready, then SIGTERM."""
    log = folder / "service.log"
    listen = f"127.0.0.1:{free_port()}"
    environment = {**os.environ, "WALLETD_LISTEN": listen, "DISCOUNTD_LISTEN": listen}  # the ports of the documents are taken
    with open(log, "wb") as lines:
        service = subprocess.Popen(["bash", "-c", f"exec {shell.as_here(commands)}"], cwd=folder, stdout=lines, stderr=lines, env=environment)
    try:
        wait_until(lambda: '"listening"' in log.read_text() or service.poll() is not None, "the service listens")
        assert service.poll() is None, log.read_text()
    finally:
        service.send_signal(signal.SIGTERM)
        assert service.wait(DEADLINE_S) == 0, log.read_text()


def as_command(shell, kind, text, folder):
    if kind == "sh":
        return text
    name, command = PROGRAMS[kind]
    (folder / name).write_text(shell.as_here(text))
    return command


def is_the_same(printed, answer):
    """As JSON, of one value or of one a line, else as lines."""
    try:
        return [shape(json.loads(one)) for one in values(printed)] == [shape(json.loads(one)) for one in values(answer)]
    except json.JSONDecodeError:
        return masked(printed) == masked(answer)


def values(text):
    lines = text.strip().splitlines()
    return lines if len(lines) > 1 and all(line[:1] + line[-1:] == "{}" for line in lines) else [text]


def masked(text):
    return re.sub(UNIQUE_CODE, "a code", re.sub(ID_OR_TIME, "an id or a time", text.strip()))


def follow(document, shell, folder):
    for mark, kind, text, answer in blocks(document):
        if mark.startswith("not run: "):
            continue
        if mark == "runs on":
            run_on(shell, text, folder)
            continue
        assert mark == "", f"{document}: what is {mark}?"
        printed = shell.paste(as_command(shell, kind, text, folder))
        assert answer is None or is_the_same(printed, answer), f"{document}:\n{text}\nprinted\n{printed}"
