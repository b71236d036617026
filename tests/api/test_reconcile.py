"""`discountd reconcile` names every difference between the books of both services, not only the first."""
import uuid

from harness.tokens import WalletKey
from harness.world import World

CREDIT = 1_000_000


class DiscountKey(WalletKey):
    """Discount's own private key: what it would never ask of Wallet can be asked in its name."""

    def __init__(self, data):
        super().__init__(data)
        self.name = "discount"


def reconcile(pair):
    done = pair.discount.reconcile()
    return done.returncode, [line for line in done.stdout.splitlines() if line.startswith("DIFFERENT: ")], done.stdout


def make_campaign(world, places):
    campaign = world.operator.campaign(places=places)
    redemptions = []
    for _ in range(places):
        answer = world.user().redeem(campaign["code"])
        assert answer.status_code == 201, answer.text
        redemptions.append(answer.json())
    return campaign, redemptions


def test_every_difference_is_named(make_world):
    world = make_world()
    pair = world.pair
    first, of_first = make_campaign(world, 7)
    second, of_second = make_campaign(world, 2)
    third, of_third = make_campaign(world, 1)
    code, differences, said = reconcile(pair)
    assert (code, differences) == (0, []), said
    assert "reconciled: 3 campaigns, 10 transactions" in said
    assert pair.discount.stop() == 0
    key = f"(SELECT number << 32 FROM campaigns WHERE code = '{first['code']}')"
    other = f"(SELECT number << 32 FROM campaigns WHERE code = '{second['code']}')"
    pair.discount.write_sql(f"""
        DELETE FROM redemptions WHERE key IN ({key} + 1, {key} + 2);
        UPDATE redemptions SET status = 2, transaction_id = NULL, failure = 'account_frozen' WHERE key = {key} + 3;
        UPDATE redemptions SET transaction_id = id WHERE key = {key} + 4;
        UPDATE redemptions SET user_id = id WHERE key = {key} + 5;
        UPDATE redemptions SET key = {other} + 3, campaign_number = {other} >> 32 WHERE key = {key} + 6;
        UPDATE redemptions SET id = user_id WHERE key = {key} + 7;
        UPDATE campaigns SET failed = 1, credited = 5, redeemed = 6, spent = 6 * amount, exhausted_at = 0, settled_position = 0 WHERE code = '{first['code']}';
        UPDATE campaigns SET max_redemptions = 3, redeemed = 3, credited = 3, spent = 3 * amount, fund_confirmed = {3 * CREDIT} WHERE code = '{second['code']}';
        UPDATE campaigns SET amount = amount - 1, spent = redeemed * (amount - 1) WHERE code = '{third['code']}'""")
    code, differences, said = reconcile(pair)
    assert code == 1
    expected = [f"campaign {first['id']}, its fund: credited: Discount says {5 * CREDIT}, Wallet {7 * CREDIT}"]
    whys = ["Discount does not know it"] * 2 + ["Discount says it failed", "the transaction is another one", "Wallet has paid another user",
                                               "Wallet has paid it out of another campaign's fund", "Discount does not know it"]
    expected += [f"campaign {first['id']}, redemption {redemption['id']}: {why}" for redemption, why in zip(of_first, whys)]
    expected += [f"campaign {first['id']}, redemption {of_first[6]['user_id']}: Discount says it is credited, Wallet has no transaction for it",
                 f"campaign {second['id']}, its fund: funded: Discount says {3 * CREDIT}, Wallet {2 * CREDIT}",
                 f"campaign {second['id']}, its fund: credited: Discount says {3 * CREDIT}, Wallet {2 * CREDIT}",
                 f"campaign {second['id']}, redemption {of_first[5]['id']}: Discount says it is credited, Wallet has no transaction for it",
                 f"campaign {third['id']}, its fund: credited: Discount says {CREDIT - 1}, Wallet {CREDIT}",
                 f"campaign {third['id']}, redemption {of_third[0]['id']}: Wallet has paid another amount"]
    assert len(differences) == len(expected), said
    for line in expected:
        campaign, _, why = line.rpartition(": ")
        assert any(campaign in found and why in found for found in differences), (line, said)
    assert f"{len(expected)} differences" in said and "NOT reconciled: 3 campaigns" in said
    assert [redemption["id"] for redemption in of_second if any(redemption["id"] in line for line in differences)] == []


def test_what_became_of_the_funds_is_compared(make_world):
    world = make_world()
    pair = world.pair
    released_here, released_there, more_there = [world.operator.campaign(places=2) for _ in range(3)]
    assert pair.discount.stop() == 0
    assert reconcile(pair)[0] == 0
    token = DiscountKey(pair.discount.data).token("funds:write")
    answer = world.wallet.post(f"/v1/funds/{released_there['id']}/release", token=token, key=str(uuid.uuid4()))
    assert answer.status_code == 200, answer.text
    pair.discount.write_sql(f"""
        UPDATE campaigns SET ended_at = updated_at, fund_is_released = 1 WHERE code = '{released_here['code']}';
        UPDATE campaigns SET fund_confirmed = fund_confirmed - 1 WHERE code = '{more_there['code']}'""")
    code, differences, said = reconcile(pair)
    assert code == 1
    assert [line.removeprefix("DIFFERENT: campaign ") for line in differences] == [
        f"{released_here['id']}, its fund: remaining after its release: Discount says 0, Wallet {2 * CREDIT}",
        f"{released_there['id']}, its fund: released, though it has not ended: Discount says 0, Wallet {2 * CREDIT}",
        f"{more_there['id']}, its fund: funded: Discount says {2 * CREDIT - 1}, Wallet {2 * CREDIT}"], said


def test_credits_that_belong_to_no_redemption_are_named(make_world, issuers, contracts):
    """In Discount's name: out of a campaign's fund, out of a fund without a campaign, and out of no fund at all."""
    pair = make_world(start=False)
    own = pair.wallet.arguments.index(f"discount={pair.discount.url}/.well-known/jwks.json")
    pair.wallet.arguments[own] += ",credits:write,credits:issue,funds:write"
    pair.start()
    world = World(pair, issuers, contracts)
    campaign, _ = make_campaign(world, 1)
    more = world.operator.campaign(places=1)
    empty, full = f"fund-{uuid.uuid4()}", f"fund-{uuid.uuid4()}"
    wallet = world.wallet.with_token(DiscountKey(pair.discount.data).token("credits:write credits:issue funds:write"))
    for reference in (empty, full):
        assert wallet.post("/v1/funds", {"reference": reference, "amount": 3 * CREDIT, "currency": "IRT"}).status_code == 201
    user = world.user()
    references = [str(uuid.uuid4()) for _ in range(4)]
    items = [{"reference": reference, "user_id": user.id, "amount": CREDIT, "currency": "IRT", **({"fund": fund} if fund else {})}
             for reference, fund in zip(references, (more["id"], full, full, None))]
    answer = wallet.post("/v1/credits", {"items": items})
    assert [item["status"] for item in answer.json()["items"]] == ["applied"] * 4
    code, differences, said = reconcile(pair)
    assert code == 1
    assert [line for line in differences if campaign["id"] in line] == [], said
    assert f"campaign {more['id']}, redemption {references[0]}: Wallet has paid it, Discount does not know it" in said
    assert f"fund {full}: it belongs to no campaign: funded {3 * CREDIT}, credited {2 * CREDIT}" in said
    assert f"fund {empty}: it belongs to no campaign: funded {3 * CREDIT}, credited 0" in said
    for reference in references[1:3]:
        assert f"fund {full}, credit {reference}, transaction" in said
    assert "1 credits of this caller are in no fund of its own" in said
    assert references[3] not in said
