"""Starts, stops, kills and restarts the real binaries. Nothing here sleeps to wait: it polls for the event itself, with a deadline."""
import atexit
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import secrets
import shutil
import signal
import sqlite3
import socket
import subprocess
import tempfile
import time

from harness import cluster

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HAMYAN_BUILD", ROOT / "build")).resolve()
DEADLINE_S = float(os.environ.get("HAMYAN_DEADLINE_S", "60"))
LOG_DELAY_S = 1  # how long an event may be on its way to the log before there is none
CREDIT = 1_000_000
_templates = {}  # by program


# Below the range from which Linux takes the near end of a connection (net.ipv4.ip_local_port_range, 32768 on): a port stays free while its service
# is down. The workers of one run share none, for a service that is down just now would be given another's; and each process begins elsewhere, so that two
# runs at once hardly meet.
PORTS = range(12000, 32000)[int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])::int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))]
_next_port = itertools.count(os.getpid() * 97)


def free_port():
    """One that nobody listens on now, and that this process has not given out before."""
    for number in _next_port:
        port = PORTS[number % len(PORTS)]
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_until(condition, what, deadline_s=DEADLINE_S):
    """Polls until the condition gives something true, and returns it."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not happen within {deadline_s} s"
        time.sleep(0.01)


class Service:
    """One service with its folder and its port; the port stays the same over restarts."""

    program = None

    def __init__(self, base, *arguments, environment=None, wrapper=(), store=None):
        self.base = pathlib.Path(base)
        self.data = self.base / self.program
        self.log = self.base / f"{self.program}.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.arguments = [str(argument) for argument in arguments]
        self.environment = {**os.environ, **(environment or {})}
        self.wrapper = list(wrapper)
        self.process = None
        self.store = store  # PostgreSQL's URL; None: the folder's own database
        self.drops_store = False  # at the end: it is a database of its own in the tests' cluster

    @property
    def store_words(self):
        return ["--store", self.store] if self.store else []

    def command(self, *words, **options):
        """Runs another command of the binary to its end, where the service runs: with its clock, if that is another."""
        return subprocess.run([BUILD / self.program, *map(str, words)], capture_output=True, text=True, timeout=DEADLINE_S, check=False,
                              **{"env": self.environment, **options})

    def init(self):
        """A copy of one folder that init made: a new signing key for each test would cost more than the test."""
        if self.store:
            self._run_init(self.data, self.store_words)
            return self
        if self.program not in _templates:
            _templates[self.program] = self._make_template()
        folder, database = _templates[self.program]
        shutil.copytree(folder, self.data)
        if database:
            self.store = cluster.shared().url(cluster.shared().create_database(template=database))
            self.drops_store = True
        return self

    def _make_template(self):
        """A folder, and with HAMYAN_STORE=postgres a database of the tests' own cluster."""
        template = pathlib.Path(tempfile.mkdtemp(prefix="hamyan-")) / self.program
        atexit.register(shutil.rmtree, template.parent, ignore_errors=True)
        database = cluster.shared().create_database() if os.environ.get("HAMYAN_STORE") == "postgres" else None
        self._run_init(template, ["--store", cluster.shared().url(database)] if database else [])
        return template, database

    def _run_init(self, folder, store_words):
        done = self.command("init", "--data", folder, *store_words)
        assert done.returncode == 0, done.stderr

    def start(self, *arguments, wait=True):
        assert self.process is None or self.process.poll() is not None, "still running"
        serve = [*self.wrapper, BUILD / self.program, "serve", "--data", self.data, "--listen", f"127.0.0.1:{self.port}", *self.store_words, *self.arguments, *map(str, arguments)]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(serve, stdout=log, stderr=log, env=self.environment)
        if wait:
            self.wait_ready()
        return self

    def is_ready(self):
        assert self.process.poll() is None, f"{self.program} ended with {self.process.returncode}:\n{self.tail()}"
        try:
            return self._get("/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def _get(self, path):
        """(status, body) by the plainest client: who waits for a service asks it a hundred times a second."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def wait_ready(self):
        wait_until(self.is_ready, f"{self.program} ready")

    def kill(self):
        """As a crash does: no warning, no clean-up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(DEADLINE_S)

    def freeze(self):
        """SIGSTOP: returns when no thread of it runs any more, a moment after the signal was sent."""
        self.process.send_signal(signal.SIGSTOP)
        wait_until(self.stands_still, f"{self.program} stands still")

    def stands_still(self):
        try:
            return all(path.read_text().rpartition(") ")[2][0] == "T" for path in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/stat"))
        except OSError:  # a thread has just ended
            return False

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            said = f"{self.program} did not end within {DEADLINE_S} s of SIGTERM. Its threads: {self.threads()}. Its log:\n{self.tail()}"
            self.kill()
            raise AssertionError(said) from None

    def threads(self):
        """What each is called, and in which system call it waits (proc(5): R runs, S sleeps, D waits for the disk)."""
        found = []
        for task in sorted(pathlib.Path(f"/proc/{self.process.pid}/task").glob("*")):
            with contextlib.suppress(OSError):  # it has just ended
                state = (task / "stat").read_text().rpartition(")")[2].split()[0]
                call = (task / "syscall").read_text().split()[0] if os.access(task / "syscall", os.R_OK) else "?"
                found.append(f"{(task / 'comm').read_text().strip()} {state} in {(task / 'wchan').read_text() or '?'} ({call})")
        return ", ".join(found)

    def end(self):
        """At the end of a test: whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            assert self.stop() == 0, self.tail()

    def forget(self):
        """After the end: nobody asks for its rows any more, and the cluster has not room for those of all tests."""
        if self.drops_store:
            cluster.shared().drop(self.store)
            self.drops_store = False

    def tail(self, lines=40):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def events(self, name):
        """The log lines of one event. A thread of its own writes them, so that the first may come a moment after what it tells of."""
        end = time.monotonic() + LOG_DELAY_S
        while not (found := self._events(name)) and time.monotonic() < end:
            time.sleep(0.01)
        return found

    def _events(self, name):
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            if line.startswith("{") and line.endswith("}") and f'"{name}"' in line:
                event = json.loads(line)
                if event.get("event") == name:
                    found.append(event)
        return found

    def metric(self, name):
        """The sum of a metric over its labels; 0 when it is not there."""
        lines = self._get("/metrics")[1].decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    def sql(self, text):
        """Rows of texts out of its database, whichever engine keeps it, while it runs or not; or a change to it, while it does not."""
        if self.store:
            schema = self.program.removesuffix("d")
            return [tuple(line.split("|")) for line in cluster.shared().sql(f"SET search_path TO {schema}; {text}", self.store.rpartition("/")[2].partition("?")[0]).splitlines()]
        connection = sqlite3.connect(self.data / f"{self.program.removesuffix('d')}.db")
        try:
            found = [tuple(str(value) for value in row) for row in connection.execute(text).fetchall()]
            connection.commit()
            return found
        finally:
            connection.close()

    def rss_kib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def write_sql(self, text):
        """Into its database, past the service: which is stopped, unless the text is harmless to it."""
        if self.store:
            schema = self.program.removesuffix("d")
            subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.store], input=f"SET search_path TO {schema};{text}", text=True, check=True, timeout=DEADLINE_S)
            return
        (path,) = self.data.glob("*.db")
        with sqlite3.connect(path, timeout=DEADLINE_S) as database:
            database.executescript(text)

    @contextlib.contextmanager
    def held(self):
        """Somebody else holds its database meanwhile: it reads, and commits nothing."""
        if self.store:
            words = f"SET search_path TO {self.program.removesuffix('d')}; BEGIN; SELECT 'held' FROM fence FOR UPDATE;\n"
            with subprocess.Popen(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
                holder.stdin.write(words)
                holder.stdin.flush()
                assert holder.stdout.readline() == "held\n"
                try:
                    yield
                finally:
                    holder.stdin.close()
            return
        (path,) = self.data.glob("*.db")
        with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=DEADLINE_S)) as database:
            database.execute("BEGIN IMMEDIATE")
            yield

    def verify(self):
        return self.command("verify", "--data", self.data, *self.store_words)


class Wallet(Service):
    program = "walletd"

    def __init__(self, base, *arguments, trusted=(), **options):
        cost = () if "--password-cost" in arguments else ("--password-cost", "low")
        super().__init__(base, *cost, *arguments, **options)
        for name, source in trusted:
            self.arguments += ["--trust-service", f"{name}={source}"]

    def add_user(self, name, password, admin=False):
        """While the service runs or while it is stopped."""
        words = ["user", "add", name, "--data", self.data, *self.store_words] + (["--admin"] if admin else [])
        done = self.command(*words, input=password + "\n")
        assert done.returncode == 0, done.stderr


class Discount(Service):
    program = "discountd"

    def __init__(self, base, wallet_url, *arguments, **options):
        super().__init__(base, "--wallet", wallet_url, *arguments, **options)
        self.wallet_url = wallet_url

    def reconcile(self):
        return self.command("reconcile", "--data", self.data, *self.store_words, "--wallet", self.wallet_url)


class Pair:
    """Both services, initialised and wired to each other, with an operator."""

    admin_name = "admin"

    def __init__(self, base, issuers=(), wallet_arguments=(), discount_arguments=(), wallet_options=None, discount_options=None):
        base = pathlib.Path(base)
        self.admin_password = secrets.token_urlsafe(16)
        self.password_file = base / "admin.password"
        self.password_file.write_text(self.admin_password + "\n")
        self.wallet = Wallet(base, *wallet_arguments, **(wallet_options or {}))
        self.discount = Discount(base, self.wallet.url, *discount_arguments, **(discount_options or {}))
        self.wallet.arguments += ["--trust-service", f"discount={self.discount.url}/.well-known/jwks.json"]
        for issuer in issuers:
            self.wallet.arguments += ["--trust-service", f"{issuer.name}={issuer.write_jwks(base)},credits:write,credits:issue,funds:write,users:write,holds:write,payments:write,reversals:write"]
        self.wallet.init()
        self.discount.init()
        self.wallet.add_user(self.admin_name, self.admin_password, admin=True)

    def start(self):
        self.wallet.start()
        self.discount.start()
        return self

    def end(self):
        try:
            self.discount.end()
        finally:
            self.wallet.end()

    def forget(self):
        self.discount.forget()
        self.wallet.forget()

    def crowd(self, code, users=3000, connections=512, places=1000, **options):
        """The crowd as a process of its own; an option of True is a flag without a value."""
        flags = {"wallet": self.wallet.url, "discount": self.discount.url, "code": code, "users": users, "connections": connections, "places": places,
                 "credit": CREDIT, "admin-name": self.admin_name, "admin-password-file": self.password_file, **options}
        words = [word for name, value in flags.items() for word in ([f"--{name}"] if value is True else [f"--{name}", str(value)])]
        return subprocess.Popen([BUILD / "crowd", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
