"""Pairs of the real services for tests that kill, starve and stop them."""
import contextlib
import os
import random

import pytest

from crash import crowds
from harness.services import Pair


# Under a sanitizer each path through the services once: what is left out differs from the rest only in the crowd's own findings, in who dies,
# or in the error that the disk gives. The crash points go the way of test_kill.py some hundred times.
ONLY_WITHOUT_SANITIZER = ("test_each_lie_is_seen", "test_a_bad_flag_is_refused", "among_kills_ends_right[walletd", "among_kills_ends_right[discountd", "both-unique]",
                          "paid[4000]", "disk_of_walletd[quota]", "disk_of_walletd[write]", "disk_of_discountd[quota]", "disk_of_discountd[write]",
                          "comes_and_goes[quota", "comes_and_goes[write", "test_a_crash_at_each_call")


def pytest_collection_modifyitems(config, items):
    if not crowds.SANITIZER:
        return
    left_out = [item for item in items if any(name in item.nodeid for name in ONLY_WITHOUT_SANITIZER)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def end(service):
    try:
        service.end()
    finally:
        if service.process is not None and service.process.poll() is None:
            service.kill()
    crowds.assert_no_finding(service)


@pytest.fixture
def make_pair(tmp_path):
    """make_pair(discount_arguments=…): an initialised pair, not started. Whatever state the test leaves it in, it ends, and no sanitizer has spoken."""
    made = []

    def make(**options):
        base = tmp_path / f"pair{len(made)}"
        base.mkdir()
        made.append(Pair(base, **options))
        return made[-1]

    yield make
    with contextlib.ExitStack() as endings:  # each of them runs, whatever another one says
        for pair in made:
            endings.callback(pair.forget)  # the last of all
            for service in (pair.wallet, pair.discount):
                endings.callback(end, service)


@pytest.fixture
def seeded():
    """Chance that can be had again: HAMYAN_SEED is what a failed test printed."""
    seed = int(os.environ.get("HAMYAN_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"HAMYAN_SEED={seed}")
    return random.Random(seed)
