"""The cases. Each gives contestants, name → a function that measures once; the rounds go A B A B through them."""
import contextlib
import csv
import os
import re
import shutil
import socket
import statistics
import subprocess
import time
import urllib.request
import uuid

from . import fire
from .listeners import Listeners
from .people import PASSWORD
from .servers import BUILD, Nginx, Postgres, Redis
from .strangers import Stranger, honest
from .world import ADMIN, ADMIN_PASSWORD, CREDIT, PAGE, PATTERN, PLACES, Pair, PostgresPair, payees, prepare

IDLE_S = 0.2  # after a load, until the services have nothing left to settle


class Bench:
    """What the cases share. Servers are started when a case first wants them, and stopped together."""

    def __init__(self, folder, cache, smoke, transfers, before=None):
        self.before = before  # the build folder of an earlier version
        self.folder = folder
        self.cache = cache
        self.smoke = smoke
        self.seconds = 0.3 if smoke else 2.0
        self.user_count = 400 if smoke else 24000  # more than the services' caches of proven tokens hold
        self.known_count = 100 if smoke else 1000
        self.small_transfers = 100 if smoke else 10_000
        self.big_transfers = 2000 if smoke else transfers
        self.servers = {}
        self.files = {}

    def get(self, name, make):
        if name not in self.servers:
            self.servers[name] = make(self.folder / name)
            self.servers[name].start()
        return self.servers[name]

    def stop(self):
        for server in self.servers.values():
            server.stop()

    def drop(self, name):
        if name in self.servers:
            self.servers.pop(name).stop()

    def nginx(self):
        return self.get("nginx", Nginx)

    def redis(self):
        return self.get("redis", Redis)

    def postgres(self):
        return self.get("postgres", Postgres)

    def pair(self, name="main"):
        transfers = {"big": self.big_transfers, "small": self.small_transfers}.get(name, 0)
        return self.get(name, lambda folder: Pair(folder, prepare(self.cache, self.user_count, transfers)))

    def pair_before(self):
        """The same of the version before, its folder written by its own code."""
        cache = self.before / "bench-data"
        cache.mkdir(exist_ok=True)
        return self.get("before", lambda folder: Pair(folder, prepare(cache, self.user_count, 0, build=self.before), build=self.before))

    def postgres_pair(self):
        return self.get("on-postgres", lambda folder: PostgresPair(folder, self.postgres(), 100 if self.smoke else 6000))

    def count(self, full, smoke=200):
        return smoke if self.smoke else full

    def file(self, name, make):
        """A file of requests, written once."""
        if name not in self.files:
            self.files[name] = fire.write_requests(self.folder / f"{name}.requests", make())
        return self.files[name]

    def steady(self, server, path, connections=64, servers=None):
        return fire.fire(servers or [server], server.port, path, connections, self.count(400_000, 2000), self.seconds)


# ---- (a) the floor ----

def floor(bench):
    nginx, pair = bench.nginx(), bench.pair()
    path = bench.file("healthz", lambda: [fire.request("GET", "/healthz")])
    return {"nginx `return 200`": lambda: bench.steady(nginx, path),
            "walletd /healthz": lambda: fire.expect(bench.steady(pair.wallet, path), 200),
            "discountd /healthz": lambda: fire.expect(bench.steady(pair.discount, path), 200)}


# ---- (b) sold out ----

def redemption(pair, index, code, key=None):
    return fire.request("POST", "/v1/redemptions", pair.people.tokens[index], {"code": code, "phone": pair.people.phones[index]}, key)


def sold_out_code(bench):
    """A campaign whose one place the last user has."""
    pair = bench.pair()
    if "sold out" not in bench.files:
        _, code = pair.campaign(places=1)
        last = len(pair.people.ids) - 1
        pair.ask(pair.discount, "POST", "/v1/redemptions", {"code": code, "phone": pair.people.phones[last]}, pair.people.tokens[last])
        bench.files["sold out"] = code
    return bench.files["sold out"]


def known_requests(bench, pair, make):
    return [make(index) for index in range(bench.known_count)]


def sold_out(bench):
    nginx, pair = bench.nginx(), bench.pair()
    code = sold_out_code(bench)
    floor_path = bench.file("healthz", lambda: [fire.request("GET", "/healthz")])
    known = bench.file("sold-out-known", lambda: known_requests(bench, pair, lambda index: redemption(pair, index, code)))
    everyone = bench.file("sold-out-new", lambda: [redemption(pair, index, code) for index in range(len(pair.people.ids) - 1)])
    return {"nginx `return 200`": lambda: bench.steady(nginx, floor_path),
            "sold out, token known": lambda: fire.expect(bench.steady(pair.discount, known), 410),
            "sold out, token known, a new key each": lambda: fire.expect(bench.steady(pair.discount, new_keys(bench, pair, code)), 410),
            "sold out, token new": lambda: fire.expect(bench.steady(pair.discount, everyone), 410),
            "RSA-2048 check alone (openssl)": lambda: signature_check()}


def new_keys(bench, pair, code):
    """Those of the known users, each with keys that nobody has used: other ones in each round."""
    requests = [redemption(pair, index, code, uuid.uuid4()) for _ in range(16) for index in range(bench.known_count)]
    return fire.write_requests(bench.folder / "sold-out-keys.requests", requests)


def signature_check():
    """What OpenSSL itself says of one RSA-2048 verification: the least that a new token can cost."""
    done = subprocess.run(["/usr/bin/openssl", "speed", "-seconds", "1", "-mr", "rsa2048"], capture_output=True, text=True, check=True)
    fields = next(line for line in done.stdout.splitlines() if line.startswith("+F2:")).split(":")
    each_second = float(fields[4])
    return {"rate": each_second, "cpu_us": 1e6 / each_second}


# ---- (c) the balance ----

def balance_file(bench, pair, name):
    return bench.file(f"balance-{name}", lambda: known_requests(bench, pair, lambda index: fire.request("GET", "/v1/wallet", pair.people.tokens[index])))


def balance(bench):
    nginx, pair = bench.nginx(), bench.pair()
    floor_path = bench.file("healthz", lambda: [fire.request("GET", "/healthz")])
    path = balance_file(bench, pair, "main")
    return {"nginx `return 200`": lambda: bench.steady(nginx, floor_path),
            "balance": lambda: fire.expect(bench.steady(pair.wallet, path), 200)}


# ---- (d) winning ----

def win(bench, connections, name="main", seconds=None, listeners=0, has_codes=False):
    """Distinct users, each with a token that is new to discountd, in a campaign of ten million places; all credited in the end."""
    pair = bench.postgres_pair() if name == "postgres" else bench.pair_before() if name == "before" else bench.pair(name)
    count = min(bench.count(16000, 200), len(pair.people.ids))
    if connections == 1:
        count = min(count, bench.count(4000, 50))
    campaign, code = pair.campaign()
    codes = pair.batch(campaign, count)[1] if has_codes else [code] * count
    path = fire.write_requests(bench.folder / "win.requests", [redemption(pair, index, one) for index, one in zip(pair.people.fresh(count), codes)])
    watched = Listeners(pair.discount.port, f"/v1/campaigns/{campaign}/events", pair.admin, listeners) if listeners > 0 else contextlib.nullcontext()
    with watched:
        report = fire.fire(pair.servers, pair.discount.port, path, connections, count, seconds or 2 * bench.seconds)
    fire.expect(report, 201, 202)
    deadline = time.monotonic() + 60
    while pair.report(campaign)["pending"] > 0:
        assert time.monotonic() < deadline, "not settled"
        time.sleep(IDLE_S)
    assert pair.report(campaign)["credited"] == report["answers"], "every answer is one credit"
    pair.ask(pair.discount, "POST", f"/v1/campaigns/{campaign}/end", token=pair.admin)
    return report


def redis_win(bench, connections):
    redis = bench.redis()
    count = bench.count(20000, 200)
    if connections == 1:
        count = bench.count(4000, 50)
    # redis-benchmark's random numbers are the same in each run: what comes before them makes its users new.
    run = uuid.uuid4().hex[:8]
    redeemed, cpu_s = redis.redeemed(), redis.cpu_s()
    done = subprocess.run(["/usr/bin/redis-benchmark", "-h", "127.0.0.1", "-p", str(redis.port), "-c", str(min(connections, count)), "-n", str(count), "-r", "2000000000",
                           "--csv", "EVALSHA", redis.script, "4", "users", "phones", "redeemed", "winners", f"user-{run}-__rand_int__", f"+98-{run}-__rand_int__", str(PLACES), str(CREDIT)],
                          capture_output=True, text=True, check=True, timeout=60)
    cpu_s, redeemed = redis.cpu_s() - cpu_s, redis.redeemed() - redeemed
    assert redeemed >= 0.99 * count, f"{redeemed} of {count} were new"  # its users are random numbers: a few come twice
    rows = list(csv.reader(done.stdout.splitlines()))
    row = dict(zip(rows[-2], rows[-1]))
    latencies = {name: float(row[f"{name}_latency_ms"]) * 1000 for name in ("p50", "p99")}
    return {"rate": float(row["rps"]), "cpu_us": cpu_s / count * 1e6, "all": {"p50_us": latencies["p50"], "p99_us": latencies["p99"]}}


def postgres_win(bench, clients):
    postgres = bench.postgres()
    done = subprocess.run([postgres.programs / "pgbench", "-n", "-M", "prepared", "-f", postgres.folder / "redeem.sql", "-c", str(clients), "-j", "1", "-T",
                           "1" if bench.smoke else "3", "-h", "127.0.0.1", "-p", str(postgres.port), "-U", "bench", "postgres"], capture_output=True, text=True, check=True)
    rate = float(re.search(r"tps = ([0-9.]+)", done.stdout).group(1))
    latency_us = float(re.search(r"latency average = ([0-9.]+) ms", done.stdout).group(1)) * 1000
    assert "number of failed transactions: 0" in done.stdout, done.stdout
    return {"rate": rate, "all": {"p50_us": latency_us}}


def fsync_time(bench):
    """One page appended and synced, as a commit does to the WAL."""
    descriptor = os.open(bench.folder / "fsync.probe", os.O_CREAT | os.O_WRONLY, 0o600)
    times = []
    for _ in range(20 if bench.smoke else 200):
        os.write(descriptor, b"x" * 4096)
        begin = time.perf_counter()
        os.fdatasync(descriptor)
        times.append((time.perf_counter() - begin) * 1e6)
    os.close(descriptor)
    times.sort()
    return {"all": {"p50_us": times[len(times) // 2], "p99_us": times[len(times) * 99 // 100]}, "rate": 1e6 / times[len(times) // 2]}


def winning(bench):
    contestants = {"one fdatasync": lambda: fsync_time(bench)}
    for connections in (1, 64, 512, 4096):
        contestants[f"redemption, {connections} connections"] = lambda connections=connections: win(bench, connections)
        contestants[f"Redis Lua, appendfsync always, {connections} connections"] = lambda connections=connections: redis_win(bench, connections)
    for clients in (8, 64):
        contestants[f"PostgreSQL hot row, {clients} clients"] = lambda clients=clients: postgres_win(bench, clients)
    return contestants


# ---- (e) credits ----

def credit_requests(pair, size, count):
    def item():
        index = uuid.uuid4().int % len(pair.people.ids)
        return {"reference": str(uuid.uuid4()), "user_id": pair.people.ids[index], "amount": CREDIT, "currency": "IRT"}
    return [fire.request("POST", "/v1/credits", pair.shop_token, {"items": [item() for _ in range(size)]}) for _ in range(count)]


def credit(bench, size, connections, count, name="main"):
    pair = bench.postgres_pair() if name == "postgres" else bench.pair_before() if name == "before" else bench.pair()
    path = fire.write_requests(bench.folder / "credits.requests", credit_requests(pair, size, count))
    servers = [pair.wallet] if name != "postgres" else [pair.wallet, pair.postgres]
    report = fire.expect(fire.fire(servers, pair.wallet.port, path, connections, count, 2 * bench.seconds), 200)
    report["rate"] *= size
    report["cpu_us"] /= size
    return report


def credits(bench):
    return {"credits one by one, 64 connections": lambda: credit(bench, 1, 64, bench.count(16000)),
            "credits by 100, 16 connections": lambda: credit(bench, 100, 16, bench.count(500, 20)),
            "credits by 1,000, 4 connections": lambda: credit(bench, 1000, 4, bench.count(60, 4))}


# ---- (e') the same with PostgreSQL behind the seam ----

def on_postgres(bench):
    """Rates, and the CPU time of all sides together, the server's among them."""
    return {"redemption on PostgreSQL, 64 connections": lambda: win(bench, 64, "postgres"),
            "redemption on PostgreSQL, 512 connections": lambda: win(bench, 512, "postgres"),
            "credits on PostgreSQL, one by one, 64 connections": lambda: credit(bench, 1, 64, bench.count(8000), "postgres"),
            "credits on PostgreSQL by 100, 16 connections": lambda: credit(bench, 100, 16, bench.count(300, 20), "postgres"),
            "PostgreSQL hot row, 64 clients": lambda: postgres_win(bench, 64)}


# ---- (f) transfers ----

def transfer(bench, to_one):
    """Between wallets that have something; the hot one never pays."""
    pair = bench.pair()
    people = pair.people
    crowd = bench.known_count
    if "rich" not in bench.files:
        items = [{"reference": str(uuid.uuid4()), "user_id": people.ids[index], "amount": 10**9, "currency": "IRT"} for index in range(crowd)]
        pair.ask(pair.wallet, "POST", "/v1/credits", {"items": items}, pair.shop_token)
        bench.files["rich"] = True

    def one(index):
        target = crowd if to_one else (index + 1 + uuid.uuid4().int % (crowd - 1)) % crowd
        return fire.request("POST", "/v1/wallet/transfers", people.tokens[index], {"to": {"username": people.names[target]}, "amount": 1, "currency": "IRT"})
    path = bench.file(f"transfers-{to_one}", lambda: [one(index) for index in range(crowd)])
    return fire.expect(fire.fire([pair.wallet], pair.wallet.port, path, 64, bench.count(30000), bench.seconds), 201)


def transfers(bench):
    return {"transfers between random wallets": lambda: transfer(bench, False), "transfers to one hot wallet": lambda: transfer(bench, True)}


# ---- (g) the event ----

def event(bench):
    """4,096 connections fire at once, each once more when it is answered; 1,000 places. From the writing of the 1,000th request to the last 201."""
    pair = bench.pair()
    places, connections = (50, 100) if bench.smoke else (1000, 4096)
    count = min(2 * connections, len(pair.people.ids))
    campaign, code = pair.campaign(places=places)
    path = fire.write_requests(bench.folder / "event.requests", [redemption(pair, index, code) for index in pair.people.fresh(count)])
    report = fire.fire(pair.servers, pair.discount.port, path, connections, count, 30, places)
    fire.expect(report, 201, 410)
    assert report["statuses"]["201"]["count"] == places
    assert pair.report(campaign)["redeemed"] == places
    report["event_ms"] = (report["last_success_us"] - report["mark_us"]) / 1000
    report["sold_out_p99_ms"] = report["statuses"]["410"]["p99_us"] / 1000
    return report


def the_event(bench):
    """Beside it what 4,096 connections that never pause cost anybody on this machine: by Little's law p99 is at least 4,096 over the rate."""
    nginx, pair = bench.nginx(), bench.pair()
    code = sold_out_code(bench)
    floor_path = bench.file("healthz", lambda: [fire.request("GET", "/healthz")])
    known = bench.file("sold-out-known", lambda: known_requests(bench, pair, lambda index: redemption(pair, index, code)))
    connections = 100 if bench.smoke else 4096
    return {"the event: 1,000 places, 4,096 connections": lambda: event(bench),
            "nginx `return 200`, 4,096 connections": lambda: bench.steady(nginx, floor_path, connections),
            "sold out, token known, 4,096 connections": lambda: fire.expect(bench.steady(pair.discount, known, connections), 410)}


# ---- (h) growth ----

def list_file(bench, pair, name):
    count = min(bench.known_count, payees(bench.user_count, bench.small_transfers))
    return bench.file(f"list-{name}", lambda: [fire.request("GET", f"/v1/wallet/transactions?limit={PAGE}", pair.people.tokens[index]) for index in range(count)])


def growth(bench):
    contestants = {}
    for what in ("balance", "transactions", "redemption"):
        for name in ("small", "big"):
            contestants[f"{what}, {name} database"] = lambda what=what, name=name: grown(bench, what, name)
    return contestants


def grown(bench, what, name):
    pair = bench.pair(name)
    if what == "redemption":
        return win(bench, 64, name)
    path = balance_file(bench, pair, name) if what == "balance" else list_file(bench, pair, name)
    return fire.expect(bench.steady(pair.wallet, path), 200)


# ---- (i) memory ----

def memory(bench):
    return {"memory, 10,000 idle connections": lambda: crowded(bench, False), "memory, 10,000 busy connections": lambda: crowded(bench, True)}


def crowded(bench, is_busy):
    """Of a fresh pair: what it holds while 10,000 connections are open to each service, before or after each has made requests."""
    name = "crowded"
    bench.drop(name)
    serial = uuid.uuid4().hex
    pair = Pair(bench.folder / f"{name}-{serial}", prepare(bench.cache, bench.user_count, 0))
    bench.servers[name] = pair.start()
    connections = 100 if bench.smoke else 10_000
    _, code = pair.campaign(places=1)
    last = len(pair.people.ids) - 1
    pair.ask(pair.discount, "POST", "/v1/redemptions", {"code": code, "phone": pair.people.phones[last]}, pair.people.tokens[last])
    files = [balance_file(bench, pair, "main"),
             fire.write_requests(bench.folder / "crowded.requests", known_requests(bench, pair, lambda index: redemption(pair, index, code)))]
    result = {}
    for server, path in zip(pair.servers, files):
        count = 3 * connections if is_busy else 0
        sender = fire.begin(server.port, path, connections, count, 20_000 / 1000, 0, 1000)
        assert sender.stdout.readline() == "holding\n"
        result[f"{server.name}_mib"] = server.rss_mib()
        fire.end(sender)
    bench.drop(name)
    return result


# ---- (j) start ----

def start_time(bench, name):
    pair = bench.pair(name)
    pair.wallet.stop()
    begin = time.perf_counter()
    pair.wallet.start()
    return {"start_ms": (time.perf_counter() - begin) * 1000}


def start(bench):
    return {"walletd start, small database": lambda: start_time(bench, "small"), "walletd start, big database": lambda: start_time(bench, "big")}


# ---- (k) logins beside redemptions ----

def logins_beside(bench):
    pair = bench.pair()
    count = bench.known_count
    path = bench.file("logins", lambda: [fire.request("POST", "/v1/sessions", body={"username": name, "password": PASSWORD}) for name in pair.people.names[:count]])
    sender = fire.begin(pair.wallet.port, path, 16, 100_000, 60)
    try:
        time.sleep(0.5)  # the load is at its full speed, which is what the case is about
        report = win(bench, 64)
    finally:
        sender.terminate()
        sender.communicate()
    return report


def logins(bench):
    return {"redemptions alone": lambda: win(bench, 64), "redemptions beside logins": lambda: logins_beside(bench)}


# ---- (l) a login in a storm of them ----

STORM = 1500  # logins of unknown users, each connection closed at once


def guarded_pair(bench):
    """One of its own: its budgets are used up."""
    return bench.get("guarded", lambda folder: Pair(folder, prepare(bench.cache, bench.user_count, 0)))


def honest_logins(bench, is_stormy):
    """One after the other, of somebody who has logged in from there before. The storm comes from the same address, and comes again for each of them."""
    pair = guarded_pair(bench)
    times = []
    for _ in range(5 if bench.smoke else 20):
        if is_stormy:
            storm(pair.wallet.port, 50 if bench.smoke else STORM)
        begin = time.perf_counter()
        pair.ask(pair.wallet, "POST", "/v1/sessions", {"username": ADMIN, "password": ADMIN_PASSWORD})
        times.append((time.perf_counter() - begin) * 1e6)
    return {"all": {"p50_us": statistics.median(times), "p99_us": max(times)}}


def storm(port, count):
    for _ in range(count):
        request = fire.request("POST", "/v1/sessions", body={"username": f"nobody-{uuid.uuid4().hex[:12]}", "password": "a wrong password"})
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(request)


def refused(bench, server, request, count):
    """What one costs that is refused without being looked at; so many are tried before."""
    path = fire.write_requests(bench.folder / "refused.requests", [request])
    fire.fire([server], server.port, path, 1, count, 60)
    return fire.expect(bench.steady(server, path), 429)


def refused_login(bench):
    pair = guarded_pair(bench)
    body = {"username": f"nobody-{uuid.uuid4().hex[:12]}", "password": "a wrong password"}
    return refused(bench, pair.wallet, fire.request("POST", "/v1/sessions", body=body), 11)


def refused_code(bench):
    pair = guarded_pair(bench)
    bench.guessers = getattr(bench, "guessers", 0) + 1  # another one in each round
    return refused(bench, pair.discount, redemption(pair, bench.guessers, "NOSUCHCODE"), 11)


def login_storm(bench):
    return {"login alone": lambda: honest_logins(bench, False), "login in a storm of 1,500": lambda: honest_logins(bench, True),
            "refused login": lambda: refused_login(bench), "refused code": lambda: refused_code(bench)}


# ---- (m) one stranger with all the connections it can get ----

STRANGERS = {"idle": 16384, "bodies": 1500, "unread": 400}


def beside_stranger(bench, kind):
    wallet = bench.pair().wallet
    with Stranger(wallet.port, kind, bench.count(STRANGERS[kind], 50)):
        return honest(wallet.port, bench.seconds)


def strangers(bench):
    return {"a new client, alone": lambda: honest(bench.pair().wallet.port, bench.seconds),
            **{f"a new client, beside a stranger's {kind}": lambda kind=kind: beside_stranger(bench, kind) for kind in STRANGERS}}


# ---- (n) listeners ----

def listeners(bench):
    count = bench.count(200, 20)
    return {"redemptions, nobody listens": lambda: win(bench, 512), "redemptions, 200 listen to their events": lambda: win(bench, 512, listeners=count)}


# ---- (o) a statement over a million entries ----

def statement(bench, media_type):
    """One client that takes it as fast as it comes."""
    count = bench.count(1_000_000, 5000)
    pair = bench.get("statement", lambda folder: Pair(folder, prepare(bench.cache, 1000, count, payee_count=1)))
    asked = urllib.request.Request(f"{pair.wallet.url}/v1/wallet/statement?from=2000-01-01T00:00:00Z", headers={"Authorization": f"Bearer {pair.people.tokens[0]}", "Accept": media_type})
    cpu_s, begin, end = pair.wallet.cpu_s(), time.perf_counter(), b""
    with urllib.request.urlopen(asked, timeout=600) as answer:
        while piece := answer.read(1 << 20):
            end = (end + piece)[-512:]
    seconds = time.perf_counter() - begin
    assert (f'"count":{count}' if media_type == "application/json" else "closing_balance").encode() in end, end
    return {"rate": count / seconds, "cpu_us": 1e6 * (pair.wallet.cpu_s() - cpu_s) / count, "walletd_mib": pair.wallet.rss_mib()}


def statements(bench):
    return {"entries of a statement, JSON": lambda: statement(bench, "application/json"), "entries of a statement, CSV": lambda: statement(bench, "text/csv")}


# ---- (p) verify ----

def verify(bench):
    folder = prepare(bench.cache, bench.user_count, bench.big_transfers)
    count, begin = bench.big_transfers, time.perf_counter()
    process = subprocess.Popen([BUILD / "walletd", "verify", "--data", folder / "wallet"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read().splitlines()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0 and said[-2:] == [f"transfers: {count} of {count}", f"entries: {2 * count} of {2 * count}"], said
    return {"rate": count / (time.perf_counter() - begin), "cpu_us": 1e6 * (used.ru_utime + used.ru_stime) / count, "walletd_mib": used.ru_maxrss / 1024}


def verifying(bench):
    return {"transfers proven by verify": lambda: verify(bench)}


# ---- (q) unique codes, and codes that are none ----

GUESSES = 9  # of one user: the tenth uses up the budget (docs/budgets.md)


def code_pair(bench):
    """One of its own, behind a proxy that names each user's address: a thousand guessers at one address would be stopped together."""
    return bench.get("codes", lambda folder: Pair(folder, prepare(bench.cache, bench.user_count, 0), discount_flags=("--trusted-proxies", "127.0.0.0/8")))


def typed_code(pair, index, code):
    body = {"code": code, "phone": pair.people.phones[index]}
    return fire.request("POST", "/v1/redemptions", pair.people.tokens[index], body, forwarded=f"10.{index >> 8}.{index & 255}.1")


def mistype(code):
    """One symbol more than it was."""
    symbols = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    return code[:-1] + symbols[(symbols.index(code[-1]) + 1) % len(symbols)]


def codes_that_are_none(bench, count):
    """{kind: codes}: of a campaign of its own, made once."""
    if "codes" not in bench.files:
        pair = code_pair(bench)
        campaign, sold_out = pair.campaign(places=1)
        last = len(pair.people.ids) - 1
        pair.ask(pair.discount, "POST", "/v1/redemptions", {"code": sold_out, "phone": pair.people.phones[last]}, pair.people.tokens[last])
        path, codes = pair.batch(campaign, count)
        pair.ask(pair.discount, "POST", f"{path}/revoke", token=pair.admin)
        bench.files["codes"] = {"sold out": [sold_out] * count, "mistyped": [mistype(code) for code in codes], "revoked": codes, "unknown": ["NOSUCHCODE"] * count}
    return bench.files["codes"]


def refused_codes(bench, kind):
    """Of users whose tokens are known, none of whom has guessed before: the service is new in each round."""
    pair = code_pair(bench)
    users = bench.count(4000, 50)
    codes = codes_that_are_none(bench, GUESSES * users)
    pair.discount.stop()
    pair.discount.start()
    known = [typed_code(pair, index, codes["sold out"][0]) for index in range(users)]
    fire.expect(fire.fire([pair.discount], pair.discount.port, fire.write_requests(bench.folder / "known.requests", known), 64, users, 60), 410)
    requests = [typed_code(pair, index % users, code) for index, code in enumerate(codes[kind])]
    report = fire.fire([pair.discount], pair.discount.port, fire.write_requests(bench.folder / "codes.requests", requests), 64, len(requests), 60)
    return fire.expect(report, 410 if kind == "sold out" else 404)


def codes(bench):
    return {"sold out, beside codes": lambda: refused_codes(bench, "sold out"),
            **{f"a code that is {kind}": lambda kind=kind: refused_codes(bench, kind) for kind in ("mistyped", "revoked", "unknown")},
            "redemption, the shared code": lambda: win(bench, 512), "redemption, a code of one's own": lambda: win(bench, 512, has_codes=True)}


# ---- (r) a million codes ----

def code_batch(bench):
    """Made, and read as one CSV by one client that takes it as fast as it comes. Whether they are all different is counted behind it."""
    pair, count = code_pair(bench), bench.count(1_000_000, 5000)
    pair.discount.stop()
    pair.discount.start()
    campaign, _ = pair.campaign(places=1)
    begin = time.perf_counter()
    batch = pair.ask(pair.discount, "POST", f"/v1/campaigns/{campaign}/code-batches", {"count": count, "pattern": PATTERN}, pair.admin)
    made, path = time.perf_counter(), bench.folder / "codes.csv"
    asked = urllib.request.Request(f"{pair.discount.url}/v1/campaigns/{campaign}/code-batches/{batch['id']}/codes",
                                   headers={"Authorization": f"Bearer {pair.admin}", "Accept": "text/csv"})
    with urllib.request.urlopen(asked, timeout=600) as answer, path.open("wb") as file:
        exporting = time.perf_counter()
        shutil.copyfileobj(answer, file, 1 << 20)
    seconds, mib = time.perf_counter() - exporting, pair.discount.rss_mib()
    with path.open(newline="") as file:
        assert len({row["code"] for row in csv.DictReader(file)}) == count
    return {"made_ms": 1000 * (made - begin), "export_s": seconds, "discountd_mib": mib}


def batches(bench):
    return {"a million codes": lambda: code_batch(bench)}


# ---- (s) the version before ----

def version_before(bench):
    """Of another build (--before), in turns with this one."""
    count = bench.count(16000)
    return {"credits one by one": lambda: credit(bench, 1, 64, count), "credits one by one, before": lambda: credit(bench, 1, 64, count, "before"),
            "redemption": lambda: win(bench, 512), "redemption, before": lambda: win(bench, 512, "before")} if bench.before else {}


CASES = {
    "floor": floor,
    "sold-out": sold_out,
    "balance": balance,
    "win": winning,
    "credits": credits,
    "postgres": on_postgres,
    "transfers": transfers,
    "event": the_event,
    "memory": memory,
    "logins": logins,
    "storm": login_storm,
    "strangers": strangers,
    "listeners": listeners,
    "growth": growth,
    "statement": statements,
    "codes": codes,
    "batch": batches,
    "before": version_before,
    "start": start,
    "verify": verifying,
}
