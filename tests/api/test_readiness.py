"""/readyz names each part with its state, and only what keeps a service from writing makes it unready."""
import requests

from harness.services import DEADLINE_S, Discount, Pair, wait_until


def parts_of(service):
    answer = requests.get(f"{service.url}/readyz", timeout=DEADLINE_S)
    assert answer.status_code == 200, answer.text
    return answer.json()


def wait_for(service, **parts):
    return wait_until(lambda: parts.items() <= (said := parts_of(service)).items() and said, f"{service.program} says {parts}")


def test_every_part_is_named(tmp_path):
    pair = Pair(tmp_path)
    try:
        pair.start()
        wait_for(pair.wallet, status="ready", store="ok", keys="ok")
        assert "wallet" not in parts_of(pair.wallet)
        wait_for(pair.discount, status="ready", store="ok", keys="ok", wallet="ok")
    finally:
        pair.end()


def test_discount_without_wallet_is_ready_and_says_so(tmp_path):
    discount = Discount(tmp_path, "http://127.0.0.1:9").init()
    try:
        discount.start()
        said = wait_for(discount, wallet="unreachable")
        assert said["status"] == "ready" and said["keys"] == "unavailable"
        assert len(discount.events("wallet_unreachable")) == 1
    finally:
        discount.end()


def test_wallet_goes_and_comes_back(tmp_path):
    pair = Pair(tmp_path)
    try:
        pair.start()
        wait_for(pair.discount, wallet="ok")
        pair.wallet.kill()
        wait_for(pair.discount, status="ready", wallet="unreachable", keys="ok")
        pair.wallet.start()
        wait_for(pair.discount, wallet="ok")
        pair.discount.kill()
        wait_for(pair.wallet, status="ready", store="ok")
        pair.wallet.stop()
        pair.wallet.start()
        wait_for(pair.wallet, keys="stale")  # Discount's, as they were kept
    finally:
        pair.discount.process.wait(DEADLINE_S)
        pair.wallet.end()
