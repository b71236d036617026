#!/usr/bin/python3
"""A PostgreSQL cluster of the tests' own: made by initdb in a temporary folder, on loopback, by Debian's binaries, also when the tests run as root.

usage: cluster.py COMMAND [WORD...]    runs the command with HAMYAN_POSTGRES=URL of an empty database in a new cluster, and ends as it ends
       cluster.py --obey               says FOLDER and PORT of a new cluster, then obeys lines until there are no more: start, kill, sql STATEMENT;
                                       each is answered with a line when it is done
"""
import atexit
import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness import libpq  # noqa: E402

DEADLINE_S = float(os.environ.get("HAMYAN_DEADLINE_S", "60"))
USER = "hamyan"
SETTINGS = {"shared_buffers": "32MB", "max_connections": "200", "max_wal_senders": "4", "wal_keep_size": "256MB", "log_min_messages": "warning",
            "checkpoint_timeout": "30min", "max_wal_size": "2GB"}
WITHOUT_DISK = {"fsync": "off", "full_page_writes": "off", "wal_keep_size": "0", "max_wal_size": "256MB"}
ROOM_IN_MEMORY = 6 << 30  # for the clusters of four workers


def programs():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    assert found, "Debian's package postgresql is not installed"
    return found[-1].parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """One server with its folder. PostgreSQL refuses to run as root: there it is the user postgres, whose the folder is."""

    def __init__(self, base=None, port=None):
        self.bin = programs()
        self.base = pathlib.Path(base or tempfile.mkdtemp(prefix="hamyan-postgres-"))
        self.base.mkdir(exist_ok=True)
        self.data = self.base / "data"
        self.log = self.base / "postgres.log"
        self.port = port or free_port()
        self.process = None
        self.settings = SETTINGS
        self.databases = 0
        owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        self.identity = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}
        if owner:
            shutil.chown(self.base, owner.pw_uid, owner.pw_gid)
            self.base.chmod(0o755)
            # A folder of a test lies in folders that are closed to others.
            for parent in self.base.parents:
                mode = parent.stat().st_mode
                if mode & 0o011 != 0o011:
                    parent.chmod(mode | 0o011)

    def run(self, program, *words, **options):
        done = subprocess.run([self.bin / program, *map(str, words)], capture_output=True, text=True, check=False, cwd=self.base, timeout=DEADLINE_S * 2,
                              **self.identity, **options)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
        return done.stdout

    def init(self):
        self.run("initdb", "-D", self.data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale", "C", "--no-sync")
        return self

    def start(self, **settings):
        assert self.process is None or self.process.poll() is not None, "still running"
        self.settings = {**SETTINGS, **settings}
        words = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.bin / "postgres", "-D", self.data, "-p", str(self.port), "-h", "127.0.0.1", "-k", self.base, *words],
                                            stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.base, start_new_session=True, **self.identity)
        self.wait_ready()
        return self

    def is_ready(self):
        assert self.process.poll() is None, f"postgres ended with {self.process.returncode}:\n{self.tail()}"
        return libpq.accepts(self.url())

    def wait_ready(self):
        end = time.monotonic() + DEADLINE_S
        while not self.is_ready():
            assert time.monotonic() < end, f"postgres was not ready within {DEADLINE_S} s:\n{self.tail()}"
            time.sleep(0.02)

    def tail(self, lines=30):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def stop(self):
        """The fast shutdown: clients are not waited for."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(DEADLINE_S)

    def kill(self):
        """As a crash does: the postmaster and all that it has made, none of them warned. Afterwards nobody of them is left."""
        family = [self.process.pid, *self.children()]
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(DEADLINE_S)
        end = time.monotonic() + DEADLINE_S
        while any(pathlib.Path(f"/proc/{pid}").exists() for pid in family):
            assert time.monotonic() < end, "a killed server process is still there"
            time.sleep(0.005)

    def children(self):
        pid = self.process.pid
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def remove(self):
        self.stop()
        shutil.rmtree(self.base, ignore_errors=True)

    # --- databases ---

    def url(self, database="postgres"):
        return f"postgres://{USER}@127.0.0.1:{self.port}/{database}"

    def sql(self, text, database="postgres"):
        return libpq.ask(self.url(database), text, DEADLINE_S * 2)

    def create_database(self, template="template0"):
        """The name of a new one, like its template, which nobody may be connected to."""
        self.databases += 1
        name = f"test{self.databases}"
        # By its files where nobody waits for the disk; elsewhere the checkpoints before and after take longer than the copy.
        strategy = "FILE_COPY" if self.settings.get("fsync") == "off" else "WAL_LOG"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY {strategy}")
        return name

    def copy(self, url, instead_of=None):
        """The URL of a database like this one, which nobody may be connected to; `instead_of` goes, whoever is connected, unless it is the same."""
        name = self.create_database(template=url.rpartition("/")[2])
        if instead_of not in (None, url):
            self.drop(instead_of)
        return self.url(name)

    def drop(self, url):
        """Whoever is connected."""
        self.sql(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2].partition('?')[0]} WITH (FORCE)")

    # --- a standby that every commit waits for ---

    def make_standby(self, base):
        """A copy that follows; from now on no commit is told before it is on both. The primary must have been started with standby_settings()."""
        standby = Cluster(base)
        standby.run("pg_basebackup", "-D", standby.data, "-d", self.url(), "-R", "-X", "stream", "-c", "fast", "--no-sync")
        with open(standby.data / "postgresql.auto.conf", "a", encoding="ascii") as file:
            file.write(f"primary_conninfo = 'host=127.0.0.1 port={self.port} user={USER} application_name=standby'\n")
        standby.start(hot_standby="on")
        end = time.monotonic() + DEADLINE_S
        self.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        self.sql("SELECT pg_reload_conf()")
        while self.sql("SELECT sync_state FROM pg_stat_replication").strip() != "sync":
            assert time.monotonic() < end, f"no standby follows:\n{standby.tail()}"
            time.sleep(0.05)
        return standby

    def promote(self):
        self.sql("SELECT pg_promote(true, 60)")
        # It has copied the wish for a standby, and has none.
        self.sql("ALTER SYSTEM RESET synchronous_standby_names")
        self.sql("SELECT pg_reload_conf()")


_shared = None


def _folder_in_memory():
    """For what need not outlive the machine: a database is 300 files, which a file system on a disk makes ten times as slowly. None where there is little room."""
    memory = pathlib.Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > ROOM_IN_MEMORY
    return tempfile.mkdtemp(prefix="hamyan-postgres-", dir=memory) if roomy else None


def shared():
    """One for all tests of this process; gone with it. Nobody takes the power from its machine, and what a killed process has written the kernel keeps: so
    it waits for no disk, and best has none."""
    global _shared
    if _shared is None:
        _shared = Cluster(_folder_in_memory()).init().start(**WITHOUT_DISK)
        atexit.register(_shared.remove)
    return _shared


def obey():
    cluster = Cluster().init().start()
    orders = {"start": lambda _: cluster.start(), "kill": lambda _: cluster.kill(), "sql": cluster.sql}
    try:
        print(cluster.base, cluster.port, flush=True)
        for line in sys.stdin:
            order, _, text = line.rstrip("\n").partition(" ")
            orders[order](text)
            print("done", flush=True)
    finally:
        cluster.remove()
    return 0


def main(words):
    if not words or words[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if words else 2
    if words == ["--obey"]:
        return obey()
    cluster = Cluster().init().start()
    try:
        url = cluster.url(cluster.create_database())
        command = subprocess.Popen(words, env={**os.environ, "HAMYAN_POSTGRES": url})
        # Ctrl-C reaches the command as well: it ends, and then the cluster.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: command.terminate())
        return command.wait()
    finally:
        cluster.remove()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
