"""What is measured, and what it is compared with: each on loopback, in a folder of its own, stopped by its own pid."""
import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = (ROOT / os.environ.get("HAMYAN_BENCH_BUILD", "build-bench")).resolve()
START_DEADLINE_S = 30
STOP_DEADLINE_S = 60
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A child process with a folder and a port."""

    name = None

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process = None

    def launch(self, command, **options):
        with open(self.folder / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL, **options)
        deadline = time.monotonic() + START_DEADLINE_S
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not start: {(self.folder / f'{self.name}.log').read_text(errors='replace')[-2000:]}")
            time.sleep(0.002)
        return self

    def is_ready(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def pids(self):
        return [self.process.pid]

    def cpu_s(self):
        """User and system time of all its threads so far (proc(5), fields 14 and 15 of stat)."""
        ticks = 0
        for pid in self.pids():
            with contextlib.suppress(FileNotFoundError):
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS_PER_SECOND

    def rss_mib(self):
        kib = 0
        for pid in self.pids():
            for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    kib += int(line.split()[1])
        return kib / 1024


class OurService(Server):
    """walletd or discountd on a data folder that exists, of our own build unless another one is said."""

    def __init__(self, folder, data, *flags, build=BUILD):
        super().__init__(folder)
        self.build = build
        self.data = data
        self.flags = flags
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        return self.launch([self.build / self.name, "serve", "--data", self.data, "--listen", f"127.0.0.1:{self.port}", "--log-level", "warn", *self.flags])

    def is_ready(self):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
            return answer.status == 200
        return False

    def command(self, *words, **options):
        return subprocess.run([self.build / self.name, *map(str, words)], capture_output=True, text=True, check=False, **options)


class Walletd(OurService):
    name = "walletd"


class Discountd(OurService):
    name = "discountd"


NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
worker_rlimit_nofile 20000;
events {{ worker_connections 19000; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 300s;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; default_type text/plain; location / {{ return 200 "ok"; }} }}
}}
"""


class Nginx(Server):
    """One process, one thread, no log: as little as nginx can do for an answer."""

    name = "nginx"

    def start(self):
        config = self.folder / "nginx.conf"
        config.write_text(NGINX.format(folder=self.folder, port=self.port))
        return self.launch(["/usr/sbin/nginx", "-c", config, "-p", self.folder])


# The redemption: set of winners, set of phones, counter, balance, list.
REDIS_SCRIPT = """
local user, phone, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
if redis.call('SISMEMBER', KEYS[1], user) == 1 then return {0, 'already_redeemed'} end
if redis.call('SISMEMBER', KEYS[2], phone) == 1 then return {0, 'phone_already_redeemed'} end
local redeemed = tonumber(redis.call('GET', KEYS[3]) or '0')
if redeemed >= limit then return {0, 'sold_out'} end
redis.call('SADD', KEYS[1], user)
redis.call('SADD', KEYS[2], phone)
local position = redis.call('INCR', KEYS[3])
local balance = redis.call('INCRBY', 'balance:' .. user, ARGV[4])
redis.call('RPUSH', KEYS[4], position .. ' ' .. user .. ' ' .. phone .. ' ' .. balance)
return {position, balance}
"""


class Redis(Server):
    """Every command is on disk before it is answered."""

    name = "redis-server"

    def start(self):
        self.launch(["/usr/bin/redis-server", "--bind", "127.0.0.1", "--port", self.port, "--dir", self.folder, "--save", "", "--appendonly", "yes",
                     "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0", "--maxclients", "10000"])
        self.script = self.cli("SCRIPT", "LOAD", REDIS_SCRIPT)
        return self

    def redeemed(self):
        return int(self.cli("GET", "redeemed") or 0)

    def cli(self, *words):
        done = subprocess.run(["/usr/bin/redis-cli", "-p", str(self.port), *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()


POSTGRES_SCHEMA = """
CREATE TABLE campaign (id int PRIMARY KEY, max_redemptions bigint NOT NULL, redeemed bigint NOT NULL, fund bigint NOT NULL);
CREATE TABLE redemption (campaign int NOT NULL, position bigint NOT NULL, user_id bigint NOT NULL, phone text NOT NULL, claimed_at timestamptz NOT NULL,
  PRIMARY KEY (campaign, position), UNIQUE (campaign, user_id), UNIQUE (campaign, phone));
CREATE TABLE wallet (user_id bigint PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE entry (id bigserial PRIMARY KEY, account bigint NOT NULL, amount bigint NOT NULL, balance_after bigint NOT NULL);
INSERT INTO campaign VALUES (1, 10000000, 0, 10000000000);
CREATE FUNCTION redeem(the_user bigint, the_phone text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE place bigint; after bigint; rest bigint;
BEGIN
  UPDATE campaign SET redeemed = redeemed + 1, fund = fund - 1000 WHERE id = 1 AND redeemed < max_redemptions RETURNING redeemed, fund INTO place, rest;
  IF place IS NULL THEN RETURN 0; END IF;
  INSERT INTO redemption VALUES (1, place, the_user, the_phone, now());
  INSERT INTO wallet VALUES (the_user, 1000) ON CONFLICT (user_id) DO UPDATE SET balance = wallet.balance + 1000 RETURNING balance INTO after;
  INSERT INTO entry (account, amount, balance_after) VALUES (0, -1000, rest), (the_user, 1000, after);
  RETURN place;
EXCEPTION WHEN unique_violation THEN RETURN -1;
END $$;
"""
POSTGRES_SCRIPT = "\\set user random(1, 9000000000000)\nSELECT redeem(:user, '+98' || :user);\n"


class Postgres(Server):
    """Debian's own configuration but for the port: fsync and synchronous_commit are on."""

    name = "postgres"

    def __init__(self, folder):
        super().__init__(folder)
        self.programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self.data = self.folder / "data"
        # PostgreSQL refuses to run as root.
        self.user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        self.identity = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}

    def start(self):
        if self.user:
            shutil.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        subprocess.run([self.programs / "initdb", "-D", self.data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale", "C"], check=True,
                       stdout=subprocess.DEVNULL, cwd=self.folder, **self.identity)
        self.launch([self.programs / "postgres", "-D", self.data, "-p", self.port, "-h", "127.0.0.1", "-k", self.folder], cwd=self.folder, **self.identity)
        self.sql("postgres", POSTGRES_SCHEMA)
        (self.folder / "redeem.sql").write_text(POSTGRES_SCRIPT)
        return self

    def is_ready(self):
        done = subprocess.run([self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False)
        return done.returncode == 0

    def sql(self, database, text):
        subprocess.run([self.programs / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port), "-U", "bench", "-d", database], input=text,
                       text=True, check=True, stdout=subprocess.DEVNULL)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # the fast shutdown: clients are not waited for
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_DEADLINE_S)
        super().stop()

    def pids(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]
