"""The page at /docs/ in headless Chromium."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from harness.client import PASSWORD, Client, User  # noqa: E402
from harness.services import Discount, Wallet  # noqa: E402

SCRIPT = pathlib.Path(__file__).with_name("docs.mjs")


def chromium():
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "chromium is not installed: scripts/setup test installs it"
    return found


@pytest.fixture
def wallet(tmp_path):
    service = Wallet(tmp_path).init().start()
    yield service
    service.end()


def browse(script, *arguments):
    done = subprocess.run(["node", script, *map(str, arguments)], capture_output=True, text=True, timeout=180, check=False, cwd=ROOT,
                          env={**os.environ, "DOCS_PASSWORD": PASSWORD})
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_log_in_authorize_and_try_it_out(wallet):
    user = User(Client(wallet.url))
    seen = browse(SCRIPT, wallet.url, user.username, chromium())
    assert seen["title"] == "Hamyan Wallet"
    assert seen["login"] == "201"
    assert seen["wallet"]["status"] == "200"
    assert json.loads(seen["wallet"]["body"]) == user.wallet.get("/v1/wallet").json()
    assert seen["elsewhere"] == []
    assert seen["faults"] == []


def test_the_page_of_discount_opens(tmp_path):
    service = Discount(tmp_path, "http://127.0.0.1:1").init().start()
    try:
        seen = browse(SCRIPT.with_name("open.mjs"), service.url, chromium())
    finally:
        service.end()
    assert seen["title"] == "Hamyan Discount"
    assert "/v1/redemptions" in seen["paths"] and "/v1/campaigns/{id}/report" in seen["paths"]
    assert seen["elsewhere"] == [] and seen["faults"] == []
