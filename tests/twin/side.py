"""One side of the twins: a pair of services on one engine, what its things are called, and its answers and rows with everything taken out that no two
sides can have in common: ids, times, tokens, hashes."""
import json
import re
import sqlite3
import subprocess

import requests

from harness.services import wait_until
from script import PASSWORD

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
NAME = re.compile(r"\{(\w+):(\w+)\}")
NO_ID = "00000000-0000-7000-8000-000000000000"
TIME_US_MIN = 1_600_000_000_000_000  # what is greater in a row is a time
OWN = {"access_token", "refresh_token", "request_id", "next_cursor"}  # members whose texts are a side's own
KEPT_HEADERS = ("Content-Type", "Idempotent-Replayed", "ETag", "Location", "Cache-Control", "WWW-Authenticate")
# Of a report what time decides, and a process's own numbers.
PASSING = {"per_second", "duration_ms", "latency", "first_redeemed_at", "last_redeemed_at", "exhausted_at", "as_of", "rate_per_second"}
# Columns that hold a side's secrets, or hashes over ids.
HASHES = {"password_hash", "hash", "lookup", "fingerprint", "idempotency_secret", "value", "client"}

ENDS_SESSIONS = {"log_out", "change_password", "refresh"}
OF_THE_DRIVER = {"migrations", "fence"}


class Side:
    def __init__(self, name, pair, shop):
        self.name = name
        self.pair = pair
        self.shop = shop  # makes the tokens of a service that Wallet trusts
        self.things = {}  # "user:user3", "campaign:CODE1", "account:…", "refresh:…" → this side's own
        self.tokens = {}
        self.seen = {}  # id → its number, in the order of the first sight
        self.last = {"transaction": [], "redemption": []}
        self.session = requests.Session()
        self.session.trust_env = False
        self.tokens["operator"] = self.log_in(pair.admin_name, pair.admin_password)

    def log_in(self, name, password):
        answer = self.session.post(f"{self.pair.wallet.url}/v1/sessions", json={"username": name, "password": password}, timeout=60)
        return answer.json()["access_token"] if answer.status_code == 201 else None

    # --- asking ---

    def fill(self, text, choice):
        def own(match):
            kind, name = match.groups()
            if name == "any":
                known = self.last[kind]
                return known[choice % len(known)] if known else NO_ID
            return self.things.get(f"{kind}:{name}", NO_ID)

        return NAME.sub(own, text)

    def ask(self, request, choice):
        kind, service, method, path, headers, body, who = request
        url = (self.pair.wallet if service == "wallet" else self.pair.discount).url + self.fill(path, choice)
        headers = dict(headers)
        token = self.shop.token() if who == "shop" else self.tokens.get(who)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        sent = None if body is None else self.fill(json.dumps(body), choice).encode()
        if sent is not None:
            headers["Content-Type"] = "application/json"
        answer = self.session.request(method, url, data=sent, headers=headers, timeout=60, allow_redirects=False)
        self.learn(kind, body, who, answer)
        self.settle(answer)
        if kind in ENDS_SESSIONS:
            for name in {who, *re.findall(r"refresh:(\w+)", json.dumps(body))} & set(self.tokens):
                self.follow_end(self.tokens[name])
        return answer

    def follow_end(self, token):
        """Discount learns of a session's end a moment after Wallet: else chance decides about the next answer."""
        headers = {"Authorization": f"Bearer {token}"}

        def is_refused(service, path):
            return self.session.get(service.url + path, headers=headers, timeout=60).status_code == 401

        if token is not None and is_refused(self.pair.wallet, "/v1/users/me"):
            wait_until(lambda: is_refused(self.pair.discount, "/v1/redemptions"), "the end of a session known to Discount")

    def settle(self, answer):
        """What the service owes after this answer is done before the next request: else chance decides about the order of the books."""
        if answer.status_code not in (200, 201) or "fund" not in answer.text or "json" not in answer.headers.get("Content-Type", ""):
            return
        told = answer.json()
        if isinstance(told.get("fund"), dict):
            headers = {"Authorization": f"Bearer {self.tokens['operator']}"}
            url = f"{self.pair.discount.url}/v1/campaigns/{told['id']}"

            def is_settled():
                now = self.session.get(url, headers=headers, timeout=60).json()
                return now["fund"]["state"] == ("released" if now["state"] == "ended" else "open")

            wait_until(is_settled, f"the fund of {told['id']} settled")

    def learn(self, kind, body, who, answer):
        if answer.status_code not in (200, 201, 202) or "json" not in answer.headers.get("Content-Type", ""):
            return
        told = answer.json()
        if kind == "register" or (kind == "repeat" and "username" in told and "token_type" not in told):
            name = told["username"]
            self.things[f"user:{name}"] = told["id"]
            self.tokens.setdefault(name, self.log_in(name, PASSWORD))
        elif kind == "log_in":
            self.tokens[body["username"].lower()] = told["access_token"]
            self.things[f"refresh:{body['username']}"] = told["refresh_token"]
        elif kind == "balance":
            self.things[f"account:{who}"] = told["account_id"]
        elif kind == "create_campaign":
            self.things[f"campaign:{told['code']}"] = told["id"]
        elif kind == "transfer":
            self.last["transaction"].append(told["id"])
        elif kind == "redeem":
            self.last["redemption"].append(told["id"])

    # --- what can be compared ---

    def symbol(self, match):
        return f"id{self.seen.setdefault(match.group(), len(self.seen))}"

    def plain(self, value, name=None):
        if isinstance(value, dict):
            return {key: self.plain(item, key) for key, item in value.items() if key not in PASSING}
        if isinstance(value, list):
            return [self.plain(item, name) for item in value]
        if name in OWN and value is not None:
            return "own"
        if isinstance(value, str):
            return TIME.sub("time", ID.sub(self.symbol, value))
        return value

    def plain_answer(self, answer):
        headers = {name: self.plain(answer.headers[name]) for name in KEPT_HEADERS if name in answer.headers}
        if "json" in headers.get("Content-Type", ""):
            return answer.status_code, headers, self.plain(answer.json())
        return answer.status_code, headers, self.plain(answer.text)

    def plain_row(self, names, row):
        cells = {}
        for name, cell in zip(names, row):
            if isinstance(cell, bytes):
                digits = cell.hex()
                is_id = len(cell) == 16
                cell = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}" if is_id else cell.decode(errors="replace")
            if name == "number" and "lookup" in names:
                continue  # of a kept answer: an order only, in which PostgreSQL leaves gaps
            if name in HASHES and cell is not None:
                cell = "hash"
            elif isinstance(cell, int) and cell >= TIME_US_MIN or name == "second":
                cell = "time"
            elif isinstance(cell, str):
                # An id that no answer showed has no number that both sides know.
                cell = ID.sub(lambda match: f"id{self.seen[match.group()]}" if match.group() in self.seen else "id", cell)
                cell = TIME.sub("time", cell)
                cell = re.sub(r'"request_id":"[^"]*"', '"request_id":"own"', cell)
                cell = re.sub(r'"kids":\[[^]]*\]', '"kids":"own"', cell)
            cells[name] = cell
        return json.dumps(cells, sort_keys=True, ensure_ascii=False)

    def rows(self, service):
        """{table: sorted rows}; the services are stopped."""
        data = self.read(service)
        if "seconds" in data:
            data["seconds"] = self.without_seconds(*data["seconds"])
        return {table: sorted(self.plain_row(names, row) for row in rows) for table, (names, rows) in data.items()}

    @staticmethod
    def without_seconds(names, rows):
        """Sums for each campaign: when a second ends is each side's own."""
        counted = [index for index, name in enumerate(names) if name not in ("campaign_number", "second")]
        sums = {}
        for row in rows:
            of = sums.setdefault(row[names.index("campaign_number")], [0] * len(counted))
            for place, index in enumerate(counted):
                of[place] += row[index]
        return ["campaign_number", *(names[index] for index in counted)], [[number, *of] for number, of in sums.items()]

    def read(self, service):
        """{table: (names, rows)}, all of them, but those that PostgreSQL's driver keeps for itself."""
        of = self.pair.wallet if service == "wallet" else self.pair.discount
        return self.read_postgres(service, of.store) if of.store else self.read_sqlite(of.data / f"{service}.db")

    @staticmethod
    def read_sqlite(path):
        connection = sqlite3.connect(path)
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
        read = {}
        for table in tables:
            cursor = connection.execute(f"SELECT * FROM {table}")
            read[table] = [column[0] for column in cursor.description], cursor.fetchall()
        connection.close()
        return read

    @staticmethod
    def read_postgres(schema, url):
        def ask(sql):
            words = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", f"SET search_path TO {schema}; SELECT json_agg(found) FROM ({sql}) found"]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            return json.loads(done.stdout.strip() or "null") or []

        def own(cell):
            return bytes.fromhex(cell[2:]) if isinstance(cell, str) and cell.startswith("\\x") else cell

        read = {}
        for (table,) in [tuple(row.values()) for row in ask(f"SELECT tablename FROM pg_tables WHERE schemaname = '{schema}'")]:
            if table in OF_THE_DRIVER:
                continue
            names = [row["column_name"] for row in ask(f"SELECT column_name FROM information_schema.columns WHERE table_schema = '{schema}' AND table_name = '{table}' ORDER BY ordinal_position")]
            read[table] = names, [[own(row[name]) for name in names] for row in ask(f"SELECT * FROM {table}")]
        return read
