"""The services that the tests over HTTP share. Each answer that a client of these fixtures gets is held against the OpenAPI document."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from contract.openapi import Contract  # noqa: E402
from harness.services import Pair  # noqa: E402
from harness.tokens import Issuer  # noqa: E402
from harness.world import World  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "of_sqlite: about SQLite's own file, changed or read behind the back of the service; not asked of PostgreSQL")


def pytest_collection_modifyitems(config, items):
    if os.environ.get("HAMYAN_STORE") != "postgres":
        return
    left_out = [item for item in items if item.get_closest_marker("of_sqlite")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def contracts():
    return {name: Contract.load(f"api/{name}.yaml") for name in ("wallet", "discount")}


@pytest.fixture(scope="session")
def issuers():
    """Two services of our own that Wallet trusts."""
    return {name: Issuer(name) for name in ("shop", "bank")}


@pytest.fixture(scope="session")
def world(tmp_path_factory, contracts, issuers):
    """One pair for all tests that neither stop nor starve it. At its end it must have kept all its promises."""
    pair = Pair(tmp_path_factory.mktemp("world"), issuers=issuers.values()).start()
    shared = World(pair, issuers, contracts)
    yield shared
    try:
        shared.assert_clean()
    finally:
        pair.end()
        pair.forget()


@pytest.fixture
def make_world(tmp_path, contracts, issuers):
    """A pair of the test's own, to stop, kill and restart: make_world(discount_arguments=…)."""
    made = []

    def make(start=True, **options):
        base = tmp_path / f"pair{len(made)}"
        base.mkdir()
        pair = Pair(base, issuers=issuers.values(), **options)
        made.append(pair)
        if not start:
            return pair
        pair.start()
        return World(pair, issuers, contracts)

    yield make
    for pair in made:
        pair.end()
        pair.forget()


@pytest.fixture(scope="session")
def stranger(world):
    """A user who has nothing to do with what a test looks at."""
    return world.user()


@pytest.fixture(autouse=True)
def nobody_died(request):
    """A crash belongs to the test that made it: it fails, and the others get a service again."""
    yield
    if "world" not in request.fixturenames:
        return
    pair = request.getfixturevalue("world").pair
    dead = [service for service in (pair.wallet, pair.discount) if service.process.poll() is not None]
    tails = [f"{service.program} ended with {service.process.returncode}:\n{service.tail(5)}" for service in dead]
    for service in dead:
        service.start()
    assert not dead, "\n".join(tails)
