"""The engine that the tests of this folder share."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from engine import Engine, machine_has_one  # noqa: E402


@pytest.fixture(scope="session")
def engine():
    made = Engine(own=not machine_has_one())
    try:
        yield made.start()
    finally:
        made.stop()
