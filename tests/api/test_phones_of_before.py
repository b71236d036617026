"""Phone numbers that were kept in another form than they are now: the first start finds them."""
import uuid

from harness.client import new_phone
from harness.world import assert_problem


def before(service, rows):
    """As a database of before stands after its migration: phones in their old form, written down to be looked at."""
    table = {"walletd": "users", "discountd": "redemptions"}[service.program]
    key = {"walletd": "id", "discountd": "key"}[service.program]
    service.write_sql("".join(f"UPDATE {table} SET phone = '{old}' WHERE phone = '{now}'; INSERT INTO old_phones SELECT {key} FROM {table} WHERE phone = '{old}';"
                              for now, old in rows))


def test_an_old_form_becomes_the_one_that_is_typed(make_world):
    world = make_world()
    tails = [new_phone()[-7:] for _ in range(3)]
    first, second, third = (world.user(phone=f"+49170{tail}") for tail in tails)
    campaign = world.operator.campaign(places=5)
    assert first.redeem(campaign["code"]).status_code == 201
    twin = world.user(phone=f"+49171{tails[2]}")
    for service in (world.pair.discount, world.pair.wallet):
        assert service.stop() == 0
    olds = [(f"+49170{tail}", f"+490170{tail}") for tail in tails]
    before(world.pair.wallet, [*olds[:2], (f"+49171{tails[2]}", f"+490170{tails[2]}")])
    before(world.pair.discount, olds[:1])
    world.pair.start()
    world.connect()
    # The second is found as it is typed, the first has won already, whoever types it.
    rich = world.rich_user(amount=1000)
    assert rich.wallet.post("/v1/wallet/transfers", {"to": {"phone": f"+49 (0)170 {tails[1]}"}, "amount": 1, "currency": "IRT"}).status_code == 201
    assert world.wallet.with_token(second.token).get("/v1/users/me").json()["phone"] == f"+49170{tails[1]}"
    again = first.redeem(campaign["code"], f"+49 (0)170 {tails[0]}")
    assert again.status_code == 200, again.text
    assert again.json()["phone"] == f"+49170{tails[0]}"
    assert [row["phone"] for row in world.operator.winners(campaign["id"])] == [f"+49170{tails[0]}"]
    # Whose form another one has keeps the old one, and the log says so.
    assert world.wallet.with_token(twin.token).get("/v1/users/me").json()["phone"] == f"+490170{tails[2]}"
    assert world.wallet.with_token(third.token).get("/v1/users/me").json()["phone"] == f"+49170{tails[2]}"
    assert len(world.pair.wallet.events("phone_rewritten")) == 2 and len(world.pair.wallet.events("phone_has_another_owner")) == 1
    assert len(world.pair.discount.events("phone_rewritten")) == 1
    assert_problem(world.wallet.post("/v1/users", {"username": f"u{uuid.uuid4().hex[:8]}", "password": "correct horse", "phone": f"0049 170 {tails[0]}"}), 409, "phone_taken")
    # Once: the next start has nothing to look at.
    assert world.pair.wallet.stop() == 0
    world.pair.wallet.start()
    assert len(world.pair.wallet.events("phone_has_another_owner")) == 1
    for service in (world.pair.wallet, world.pair.discount):
        assert service.verify().returncode == 0
