"""The picture of a report in headless Chromium: in three sizes, light and dark, each text within it and beside the others."""
import itertools
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser.test_docs import chromium  # noqa: E402
from harness.client import Client, Operator, User  # noqa: E402
from harness.services import Pair  # noqa: E402

SCRIPT = pathlib.Path(__file__).with_name("plot.mjs")


def overlap(one, other):
    return one["left"] < other["right"] and other["left"] < one["right"] and one["top"] + 2 < other["bottom"] and other["top"] + 2 < one["bottom"]


def brightness(color):
    return sum(int(part) for part in color.removeprefix("rgb(").removesuffix(")").split(","))


def test_it_is_legible_in_every_size_and_by_day_and_night(tmp_path):
    pair = Pair(tmp_path).start()
    try:
        wallet, discount = Client(pair.wallet.url), Client(pair.discount.url)
        operator = Operator(wallet, discount, pair.admin_name, pair.admin_password)
        campaign = operator.campaign(places=3, name="A name that is too long for most of the pictures that anybody wants of it, with <i>markup</i>")
        for _ in range(4):
            assert User(wallet, discount).redeem(campaign["code"]).status_code in (201, 202, 410)
        operator.wait_settled(campaign["id"])
        done = subprocess.run(["node", SCRIPT, f"{pair.discount.url}/v1/campaigns/{campaign['id']}/report.svg", chromium(), operator.discount.token], capture_output=True, text=True,
                              timeout=180, check=False, cwd=ROOT, env=os.environ)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        pair.end()
    shown = json.loads(done.stdout)
    assert len(shown) == 6
    for picture in shown:
        assert picture["faults"] == [] and not picture["overflows"]
        for box in picture["texts"]:
            assert box["left"] >= 0 and box["top"] >= 0 and box["right"] <= picture["width"] and box["bottom"] <= picture["height"], box
        for one, other in itertools.combinations(picture["texts"], 2):
            assert not overlap(one, other), (picture["width"], one, other)
        is_dark = picture["colorScheme"] == "dark"
        assert (brightness(picture["back"]) < 200) == is_dark and (brightness(picture["ink"]) > 500) == is_dark
        assert abs(brightness(picture["claims"]) - brightness(picture["back"])) > 200
