"""The engine that the tests of this folder share."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from engine import Engine, machine_has_one  # noqa: E402

IMAGES = {"walletd": "hamyan/walletd", "discountd": "hamyan/discountd", "crowd": "hamyan/crowd"}


@pytest.fixture(scope="session")
def engine():
    made = Engine(own=not machine_has_one())
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture(scope="session")
def images(engine):
    for program, image in IMAGES.items():
        engine.docker("build", "--file", "deploy/docker/Dockerfile", *(["--network=host"] if engine.is_own else []), "--target", program, "--tag", image, ".")
    return IMAGES
