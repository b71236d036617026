"""The same random requests to two pairs of services, one on each engine: every answer and every row is the same on both, or the engines are not."""
import os
import pathlib
import random
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1]), str(pathlib.Path(__file__).resolve().parent)]

from harness import cluster  # noqa: E402
from harness.services import Pair  # noqa: E402
from harness.tokens import Issuer  # noqa: E402
from script import Script  # noqa: E402
from side import Side  # noqa: E402

REQUESTS = 4000 if os.environ.get("HAMYAN_LONG") == "1" else 700
SEED = int(os.environ.get("HAMYAN_SEED", random.randrange(1_000_000)))


@pytest.fixture
def sides(tmp_path):
    made = []
    shared = cluster.shared()
    for name in ("sqlite", "postgres"):
        base = tmp_path / name
        base.mkdir()
        shop = Issuer("shop")
        stores = [{"store": shared.url(shared.create_database())} if name == "postgres" else {} for _ in range(2)]
        made.append(Side(name, Pair(base, issuers=[shop], wallet_options=stores[0], discount_options=stores[1]).start(), shop))
    yield made
    for side in made:
        side.pair.end()


def differences(left, right, path=""):
    """Where two values differ, in words."""
    if isinstance(left, dict) and isinstance(right, dict):
        for name in sorted(set(left) | set(right)):
            yield from differences(left.get(name), right.get(name), f"{path}.{name}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right)):
            yield from differences(one, other, f"{path}[{index}]")
    elif left != right:
        yield f"{path}: {left!r} and {right!r}"


def test_both_engines_answer_alike_and_keep_the_same_rows(sides):
    print(f"HAMYAN_SEED={SEED}")
    script = Script(SEED)
    statuses = {}
    for number in range(REQUESTS):
        request = script.next()
        choice = script.random.randrange(1_000_000)
        answers = [side.plain_answer(side.ask(request, choice)) for side in sides]
        statuses[answers[0][0]] = statuses.get(answers[0][0], 0) + 1
        assert answers[0] == answers[1], f"HAMYAN_SEED={SEED}, request {number}, {request}: {list(differences(list(answers[0]), list(answers[1])))}"
    assert statuses.get(201, 0) > REQUESTS / 10 and statuses.get(200, 0) > REQUESTS / 10, statuses  # else it asks for nothing worth comparing
    for side in sides:
        for done in (side.pair.wallet.verify(), side.pair.discount.verify(), side.pair.discount.reconcile()):
            assert done.returncode == 0, f"{side.name}: {done.args}: {done.stdout}{done.stderr}"
        side.pair.end()
    for service in ("wallet", "discount"):
        rows = [side.rows(service) for side in sides]
        assert set(rows[0]) == set(rows[1]), f"HAMYAN_SEED={SEED}: {service} has other tables"
        for table in rows[0]:
            one, other = rows[0][table], rows[1][table]
            assert one == other, f"HAMYAN_SEED={SEED}, {service}.{table}: only in SQLite: {sorted(set(one) - set(other))[:3]}, only in PostgreSQL: {sorted(set(other) - set(one))[:3]}"
