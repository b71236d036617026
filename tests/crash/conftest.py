"""Pairs of the real services for tests that kill, starve and stop them."""
import os
import random

import pytest

from crash import crowds
from harness.services import Pair


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
    for pair in made:
        for service in (pair.discount, pair.wallet):
            try:
                service.end()
            finally:
                if service.process is not None and service.process.poll() is None:
                    service.kill()
            crowds.assert_no_finding(service)


@pytest.fixture
def seeded():
    """Chance that can be had again: HAMYAN_SEED is what a failed test printed."""
    seed = int(os.environ.get("HAMYAN_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"HAMYAN_SEED={seed}")
    return random.Random(seed)
