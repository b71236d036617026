"""Prepared folders, running services, campaigns."""
import json
import os
import pathlib
import shutil
import urllib.error
import urllib.request
import uuid

from .people import PASSWORD, People, Signer, load_transfers, load_users, service_token
from .servers import BUILD, Discountd, Walletd

ADMIN = "operator"
ADMIN_PASSWORD = "an operator of benchmarks"
CREDIT = 1000
PLACES = 10_000_000
PAGE = 20
PATTERN = "BENCH-####-####-####-####"


def payees(user_count, transfer_count):
    """Among whom the transfers are spread: each has more than a page of PAGE, in the small database as in the big one."""
    return min(user_count, max(1, transfer_count // (2 * PAGE)))


def prepare(cache, user_count, transfer_count, payee_count=None, build=BUILD):
    """A wallet's folder with so many users and transfers; made once and kept, because ten million transfers take twenty minutes."""
    folder = cache / (f"{user_count}-{transfer_count}" + (f"-{payee_count}" if payee_count else ""))
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        scratch = Walletd(folder / "log", folder / "wallet", build=build)
        done = scratch.command("init", "--data", folder / "wallet")
        assert done.returncode == 0, done.stderr
        done = scratch.command("user", "add", ADMIN, "--admin", "--data", folder / "wallet", input=ADMIN_PASSWORD + "\n")
        assert done.returncode == 0, done.stderr
        load_users(folder / "wallet", folder / "users", user_count, build)
        if transfer_count > 0:
            load_transfers(folder / "wallet", folder / "users", transfer_count, payee_count or payees(user_count, transfer_count), build)
        People(folder / "wallet", folder / "users", folder / "tokens")
        (folder / "complete").touch()
    return folder


class Pair:
    """walletd and discountd, wired to each other, with an operator and a service that may give credits."""

    def __init__(self, folder, prepared, discount_flags=(), build=BUILD):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "wallet-data"
        shutil.copytree(prepared / "wallet", self.data)
        os.sync()  # or gigabytes of the copy are written behind what is measured
        self.people = People(self.data, prepared / "users", prepared / "tokens")
        self.shop = Signer.new("shop-key")
        (self.folder / "shop.json").write_text(json.dumps(self.shop.jwks()))
        discount_data = self.folder / "discount-data"
        self.wallet = Walletd(self.folder / "walletd", self.data, build=build)
        self.discount = Discountd(self.folder / "discountd", discount_data, "--wallet", self.wallet.url, *discount_flags, build=build)
        self.wallet.flags = ["--trust-service", f"discount={self.discount.url}/.well-known/jwks.json", "--trust-service", f"shop={self.folder / 'shop.json'},credits:write,credits:issue,funds:write"]
        done = self.discount.command("init", "--data", discount_data)
        assert done.returncode == 0, done.stderr

    def start(self):
        self.wallet.start()
        self.discount.start()
        session = self.ask(self.wallet, "POST", "/v1/sessions", {"username": ADMIN, "password": ADMIN_PASSWORD})
        self.admin = session["access_token"]
        self.shop_token = service_token(self.shop, "shop", "credits:write credits:issue funds:write")
        return self

    def stop(self):
        self.discount.stop()
        self.wallet.stop()

    @property
    def servers(self):
        return [self.wallet, self.discount]

    def ask(self, service, method, path, body=None, token=None, accept="application/json"):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": accept, **({"Content-Type": "application/json"} if data else {})}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            with urllib.request.urlopen(urllib.request.Request(service.url + path, data, headers, method=method), timeout=60) as answer:
                return json.load(answer) if accept == "application/json" else answer.read().decode()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from error

    def campaign(self, places=PLACES):
        """(id, code) of a new one."""
        code = "B" + uuid.uuid4().hex[-12:].upper()
        session = self.ask(self.wallet, "POST", "/v1/sessions", {"username": ADMIN, "password": ADMIN_PASSWORD})
        self.admin = session["access_token"]
        body = {"name": "Bench", "kind": "wallet_credit", "code": code, "credit": {"amount": CREDIT, "currency": "IRT"}, "max_redemptions": places}
        return self.ask(self.discount, "POST", "/v1/campaigns", body, self.admin)["id"], code

    def batch(self, campaign_id, count):
        """(path, codes) of a new one."""
        path = f"/v1/campaigns/{campaign_id}/code-batches"
        batch = self.ask(self.discount, "POST", path, {"count": count, "pattern": PATTERN}, self.admin)
        path += f"/{batch['id']}"
        rows = self.ask(self.discount, "GET", f"{path}/codes", token=self.admin, accept="text/csv").splitlines()[1:]
        return path, [row.split(",")[1] for row in rows]

    def report(self, campaign_id):
        return self.ask(self.discount, "GET", f"/v1/campaigns/{campaign_id}/report", token=self.admin)

    def prove(self):
        """What the measured build left in the databases, judged by its own commands."""
        for service, words in ((self.wallet, ["verify"]), (self.discount, ["verify"]), (self.discount, ["reconcile", "--wallet", self.wallet.url])):
            done = service.command(*words, "--data", service.data)
            assert done.returncode == 0, f"{service.name} {words[0]}: {done.stdout}{done.stderr}"


class PostgresPair(Pair):
    """The same services with all rows in one PostgreSQL cluster. Its users are registered over HTTP: bench/load.c writes SQLite's file only."""

    def __init__(self, folder, postgres, user_count):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.postgres = postgres
        self.data = self.folder / "wallet-data"
        self.user_count = user_count
        self.shop = Signer.new("shop-key")
        (self.folder / "shop.json").write_text(json.dumps(self.shop.jwks()))
        store = ["--store", f"postgres://bench@127.0.0.1:{postgres.port}/postgres"]
        discount_data = self.folder / "discount-data"
        self.wallet = Walletd(self.folder / "walletd", self.data)
        self.discount = Discountd(self.folder / "discountd", discount_data, *store, "--wallet", self.wallet.url)
        self.wallet.flags = [*store, "--password-cost", "low", "--trust-service", f"discount={self.discount.url}/.well-known/jwks.json", "--trust-service",
                             f"shop={self.folder / 'shop.json'},credits:write,credits:issue,funds:write"]
        for service, words in ((self.wallet, ["init"]), (self.discount, ["init"])):
            done = service.command(*words, "--data", service.data, *store)
            assert done.returncode == 0, done.stderr
        done = self.wallet.command("user", "add", ADMIN, "--admin", "--data", self.data, *store, input=ADMIN_PASSWORD + "\n")
        assert done.returncode == 0, done.stderr
        self.store = store

    def start(self):
        super().start()
        users = self.folder / "users"
        users.write_text("".join(f"{self.register(index)}\n" for index in range(self.user_count)))
        self.people = People(self.data, users, self.folder / "tokens")
        return self

    def register(self, index):
        body = {"username": f"bench{index:07d}", "password": PASSWORD, "phone": f"+989{index:09d}"}
        return f"{self.ask(self.wallet, 'POST', '/v1/users', body)['id']} {body['phone']}"

    @property
    def servers(self):
        return [self.wallet, self.discount, self.postgres]

    def prove(self):
        for service, words in ((self.wallet, ["verify"]), (self.discount, ["verify"]), (self.discount, ["reconcile", "--wallet", self.wallet.url])):
            done = service.command(*words, "--data", service.data, *self.store)
            assert done.returncode == 0, f"{service.name} {words[0]}: {done.stdout}{done.stderr}"
