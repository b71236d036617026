"""`crowd` against the real services, in each of its ways; how it sees lies is asked in tests/crash."""
import subprocess

import pytest

from harness.services import BUILD, DEADLINE_S

SHARED, CODES, ORDERS = [], ["--codes", "unique"], ["--orders"]


@pytest.mark.parametrize("words, told", [
    (SHARED, ["12 of 12 expected", "12 of 12 places", "12000 in the wallets of 20 users"]),
    (CODES, ["12 used of 20, each by its own user", "12 of 12 places", "12000 in the wallets of 20 users"]),
    (ORDERS, ["12 over ", " taken off", "0 in the wallets of 20 users"]),
    (CODES + ORDERS, ["12 used of 20, each by its own user", "12 over ", "0 in the wallets of 20 users"]),
], ids=["shared", "codes", "orders", "both"])
def test_a_campaign_of_its_own_is_exactly_right(world, words, told):
    pair = world.pair
    done = subprocess.run([BUILD / "crowd", "--wallet", pair.wallet.url, "--discount", pair.discount.url, "--code", "OWN", "--create", "--users", "20", "--places", "12",
                           "--credit", "1000", "--connections", "6", "--admin-name", pair.admin_name, "--admin-password-file", pair.password_file, *words],
                          capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "exactly right" in done.stdout
    for expected in told:
        assert expected in done.stdout, done.stdout
