"""Records what a version leaves in the middle of an event, for tests/api/test_upgrade.py: HAMYAN_BUILD=BUILD-OF-THAT-VERSION python3 tests/databases/record.py VERSION

Both data folders as they are after kill -9 of both services, a backup of each, and what its users had been told until then."""
import concurrent.futures
import json
import pathlib
import sys
import tarfile
import tempfile
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from crash.crowds import finish_crowd, operator_of  # noqa: E402
from harness.client import PASSWORD, Client, User  # noqa: E402
from harness.services import CREDIT, Pair  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
OWED = 3  # claims that Wallet has not heard of


def claim(user, code):
    key = str(uuid.uuid4())
    answer = user.redeem(code, key=key)
    return {"username": user.username, "password": PASSWORD, "id": user.id, "phone": user.phone, "access_token": user.token, "refresh_token": user.session["refresh_token"],
            "key": key, "status": answer.status_code, "answer": answer.json()}


def play(pair, folder):
    operator = operator_of(pair)
    over, live = operator.campaign(places=40), operator.campaign(places=20)
    finish_crowd(pair.crowd(over["code"], users=80, places=40, connections=32))
    wallet, discount = Client(pair.wallet.url), Client(pair.discount.url)
    users = [User(wallet, discount) for _ in range(12)]
    claims = [claim(user, live["code"]) for user in users[:-OWED]]
    sent = claims[0]["answer"]["credit"]["amount"] // 4
    transfer = users[0].wallet.post("/v1/wallet/transfers", {"to": {"username": users[-1].username}, "amount": sent, "currency": "IRT"}, key=str(uuid.uuid4()))
    for service in (pair.wallet, pair.discount):
        done = service.command("backup", folder / f"{service.program}.backup", "--data", service.data)
        assert done.returncode == 0, done.stderr
    pair.wallet.kill()
    with concurrent.futures.ThreadPoolExecutor(OWED) as at_once:
        claims += at_once.map(lambda user: claim(user, live["code"]), users[-OWED:])
    assert [each["status"] for each in claims] == [201] * (len(users) - OWED) + [202] * OWED and transfer.status_code == 201, transfer.text
    pair.discount.kill()
    return {"time": time.time(), "admin": {"name": pair.admin_name, "password": pair.admin_password}, "over": over, "live": live, "claims": claims,
            "transfer": {"from": users[0].username, "to": users[-1].username, "amount": sent}, "credit": CREDIT}


def main(version):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        pair = Pair(folder).start()
        try:
            told = play(pair, folder)
        finally:
            pair.end()
        (folder / "told.json").write_text(json.dumps(told))
        with tarfile.open(HERE / f"{version}.tar.xz", "w:xz") as archive:
            for member in ("walletd", "discountd", "walletd.backup", "discountd.backup", "told.json"):
                archive.add(folder / member, member)


if __name__ == "__main__":
    main(*sys.argv[1:])
