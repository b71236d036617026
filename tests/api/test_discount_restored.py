"""Discount's database is an older copy of itself: who has won since is read back from Wallet, nobody is paid twice, and nobody has to do anything."""
import threading
import uuid

import pytest

from api.test_reconcile import DiscountKey
from crash import crowds
from harness.client import new_phone
from harness.copies import Copy, copy_of
from harness.services import CREDIT, wait_until
from harness.world import assert_problem

AGREES_S = 60
PLACES = 12


def put_back(copy):
    copy.service.kill()
    copy.restore()
    copy.service.start()


def wait_until_agreed(world):
    wait_until(lambda: world.pair.discount.reconcile().returncode == 0, "the books agree", AGREES_S)


def won(user, campaign):
    """As it stands once it is paid: where Wallet has been away, the call for it may still be waiting for its next try."""
    answer = user.redeem(campaign["code"])
    assert answer.status_code in (201, 202), answer.text
    path = f"/v1/redemptions/{answer.json()['id']}"
    return wait_until(lambda: (found := user.discount.get(path).json())["status"] == "credited" and found, "it is paid")


def win_again(user, campaign):
    """As somebody does who was told already: it is the same redemption."""
    answer = user.redeem(campaign["code"])
    assert answer.status_code == 200, answer.text
    return answer.json()


def what_counts(redemption):
    return {name: redemption[name] for name in ("id", "campaign_id", "user_id", "phone", "position", "status", "credit", "transaction_id", "credited_at")}


def assert_whole(world, campaign, users):
    """All places of the campaign are these users', once each."""
    winners = world.operator.winners(campaign["id"])
    assert [winner["position"] for winner in winners] == list(range(1, len(users) + 1))
    assert {winner["user_id"] for winner in winners} == {user.id for user in users}
    assert {winner["status"] for winner in winners} == {"credited"}
    assert [user.balance() for user in users] == [CREDIT] * len(users)
    assert len(crowds.credits(world.pair)) == len(users)  # a reference twice fails there
    world.assert_clean()


AGES = {"before the fund": 8, "before the first": 8, "in the middle": 5, "near the end": 1, "after the last": 0}


def restored_at(world, age, users):
    """A campaign whose first eight places were given out, and a copy of Discount from then."""
    discount = world.pair.discount
    if age == "before the fund":
        assert world.pair.wallet.stop() == 0
        campaign = world.operator.discount.post("/v1/campaigns", {"name": "Nowruz", "kind": "wallet_credit", "code": "NOWRUZ", "credit": {"amount": CREDIT, "currency": "IRT"},
                                                                  "max_redemptions": PLACES}).json()
        copy = copy_of(discount)
        world.pair.wallet.start()
        wait_until(lambda: world.operator.discount.get(f"/v1/campaigns/{campaign['id']}").json()["fund"]["state"] == "open", "the fund is open")
    else:
        campaign, copy = world.operator.campaign(places=PLACES), None
    redemptions, before = [], {"before the first": 0, "in the middle": 3, "near the end": 7, "after the last": 8}
    for index, user in enumerate(users[:8]):
        if before.get(age) == index:
            copy = copy_of(discount)
        redemptions.append(won(user, campaign))
    return campaign, redemptions, copy or copy_of(discount)


@pytest.mark.parametrize("age", AGES)
def test_who_has_won_is_read_back(make_world, age):
    world = make_world()
    discount = world.pair.discount
    users = [world.user() for _ in range(PLACES)]
    campaign, redemptions, copy = restored_at(world, age, users)
    put_back(copy)
    for user, redemption in zip(users, redemptions):
        assert what_counts(win_again(user, campaign)) == what_counts(redemption)
        assert what_counts(user.discount.get(f"/v1/redemptions/{redemption['id']}").json()) == what_counts(redemption)
    for index, user in enumerate(users[8:], start=9):
        assert won(user, campaign)["position"] == index
    assert_problem(world.user().redeem(campaign["code"]), 410, "sold_out")
    assert discount.metric("discountd_redemptions_rebuilt_total") == AGES[age]
    rebuilt = discount.events("redemptions_rebuilt")
    assert [event["made"] for event in rebuilt] == ([AGES[age]] if AGES[age] else [])
    assert_whole(world, campaign, users)
    report = world.operator.report(campaign["id"])
    assert (report["redeemed"], report["credited"], report["failed"], report["rejected"]["campaign_recovering"]) == (PLACES, PLACES, 0, 0)
    assert discount.stop() == 0
    discount.start()
    assert discount.metric("discountd_redemptions_rebuilt_total") == 0
    assert_whole(world, campaign, users)


def test_a_copy_from_before_the_gift_was_changed(make_world):
    """Its amount and its limit are Wallet's word, too."""
    world = make_world()
    users = [world.user() for _ in range(4)]
    campaign = world.operator.campaign(places=2, credit=CREDIT // 2)
    copy = copy_of(world.pair.discount)
    changed = world.operator.discount.request("PATCH", f"/v1/campaigns/{campaign['id']}", json={"credit": {"amount": CREDIT, "currency": "IRT"}, "max_redemptions": 4},
                                              headers={"If-Match": "*"})
    assert changed.status_code == 200, changed.text
    redemptions = [won(user, campaign) for user in users]
    put_back(copy)
    for user, redemption in zip(users, redemptions):
        assert what_counts(win_again(user, campaign)) == what_counts(redemption)
    assert_problem(world.user().redeem(campaign["code"]), 410, "sold_out")
    found = world.operator.discount.get(f"/v1/campaigns/{campaign['id']}").json()
    assert (found["max_redemptions"], found["credit"]["amount"], found["redeemed"]) == (4, CREDIT, 4)
    wait_until_agreed(world)
    assert_whole(world, campaign, users)


def test_a_campaign_that_the_copy_does_not_know_is_named(make_world):
    world = make_world()
    discount = world.pair.discount
    world.operator.campaign(places=1)
    copy = copy_of(discount)
    user = world.user()
    campaign = world.operator.campaign(places=1)
    redemption = won(user, campaign)
    put_back(copy)
    assert_problem(user.redeem(campaign["code"]), 404, "code_not_found")
    said = discount.reconcile()
    assert said.returncode == 1
    assert f"fund {campaign['id']}: it belongs to no campaign: funded {CREDIT}, credited {CREDIT}" in said.stdout
    assert f"fund {campaign['id']}, credit {redemption['id']}, transaction {redemption['transaction_id']}: it belongs to no redemption" in said.stdout
    assert [event["reference"] for event in discount.events("fund_without_campaign")] == [campaign["id"]]
    assert discount.metric("discountd_books_differences") == 1


class Crowd:
    """Users who ask again until they are told something final."""

    def __init__(self, users, campaign, threads=8):
        self.users = users
        self.told = {}
        self.broken = []
        self.passing = 0
        self.campaign = campaign
        shares = [users[index::threads] for index in range(threads)]
        self.threads = [threading.Thread(target=self.run, args=(share,)) for share in shares]
        for thread in self.threads:
            thread.start()

    def run(self, share):
        for user in share:
            try:
                self.told[user.id] = self.ask(user)
            except Exception as failure:  # told by the test's own thread
                self.broken.append(failure)

    def ask(self, user):
        def final():
            try:
                answer = user.redeem(self.campaign["code"], timeout=20)
            except OSError:
                self.passing += 1
                return None  # it is away
            if answer.status_code in (202, 503) or (answer.status_code == 409 and answer.json()["code"] == "campaign_recovering"):
                self.passing += 1
                return None
            assert answer.status_code in (200, 201, 410), answer.text
            return [answer]  # one that says no is false by itself
        return wait_until(final, "a final answer", 120)[0]

    def wait_told(self, count):
        wait_until(lambda: len(self.told) >= count or self.broken, f"{count} are told")

    def end(self):
        for thread in self.threads:
            thread.join()
        assert not self.broken, self.broken
        return self.told


def make_batch(world, campaign):
    """(its path, its codes)"""
    admin, path = world.operator.discount, f"/v1/campaigns/{campaign['id']}/code-batches"
    answer = admin.post(path, {"count": 100, "pattern": "GIFT-####-####-####-##"})
    assert answer.status_code == 201, answer.text
    path = f"{path}/{answer.json()['id']}"
    return path, [row["code"] for row in admin.get(f"{path}/codes?limit=200").json()["data"]]


def test_codes_of_a_batch_that_the_copy_does_not_know_are_never_made_again(make_world):
    world = make_world()
    campaign = world.operator.campaign(places=5, phone="any")
    _, kept = make_batch(world, campaign)
    copy = copy_of(world.pair.discount)
    _, lost = make_batch(world, campaign)
    winner = world.user()
    assert winner.redeem(lost[0]).status_code == 201
    put_back(copy)
    wait_until_agreed(world)
    assert_problem(world.user().redeem(lost[0]), 404, "code_not_found")
    path, made = make_batch(world, campaign)
    assert not set(made) & set(lost) and not set(made) & set(kept)
    assert_problem(world.user().redeem(lost[0]), 404, "code_not_found")  # it has had its winner
    assert_problem(world.user().redeem(lost[1]), 404, "code_not_found")
    assert world.user().redeem(made[0]).status_code == 201 and world.user().redeem(kept[0]).status_code == 201
    assert world.operator.discount.get(path).json()["used"] == 1
    assert [place["position"] for place in world.operator.winners(campaign["id"])] == [1, 2, 3]
    world.assert_clean()


@pytest.mark.parametrize("begin,end", [(0, 10), (10, 40), (35, 55)], ids=["at the beginning", "in the middle", "near the end"])
def test_while_a_crowd_runs(make_world, begin, end):
    """A copy is made while some have won; it is put back, at once, when more have."""
    world = make_world()
    discount = world.pair.discount
    users = [world.user() for _ in range(80)]
    campaign = world.operator.campaign(places=60)
    early = [won(user, campaign) for user in users[:begin]]
    assert discount.stop() == 0
    copy = Copy(discount)
    discount.start()
    crowd = Crowd(users[begin:], campaign)
    crowd.wait_told(end - begin)
    put_back(copy)
    told = crowd.end()
    wait_until_agreed(world)
    winners = [user for user in users if user.id in told and told[user.id].status_code in (200, 201)] + users[:begin]
    assert len(winners) == 60 and crowd.passing > 0
    for user in winners[:len(winners) - begin]:
        assert win_again(user, campaign)["id"] == told[user.id].json()["id"]
    for user, redemption in zip(users[:begin], early):
        assert win_again(user, campaign)["id"] == redemption["id"]
    assert_whole(world, campaign, winners)


# ---- places are given out before Wallet can say who has won ----

def start_without_wallet(world, copy):
    """Wallet is away when Discount comes back: after two seconds places are given out, as ever while it is away."""
    assert world.pair.wallet.stop() == 0
    put_back(copy)



def test_who_claims_anew_is_paid_once(make_world):
    world = make_world(discount_arguments=["--settle-wait", "200"])
    users = [world.user() for _ in range(4)]
    campaign = world.operator.campaign(places=4)
    copy = copy_of(world.pair.discount)
    old = won(users[0], campaign)
    start_without_wallet(world, copy)
    anew = users[0].redeem(campaign["code"], headers={"Idempotency-Key": "anew"})
    assert anew.status_code == 202 and anew.json()["id"] != old["id"]
    other = users[1].redeem(campaign["code"])
    assert (other.status_code, other.json()["position"]) == (202, 2)
    world.pair.wallet.start()
    found = wait_until(lambda: (answer := users[0].discount.get(f"/v1/redemptions/{anew.json()['id']}").json())["status"] == "credited" and answer, "it is found")
    assert (found["id"], found["transaction_id"]) == (old["id"], old["transaction_id"])
    repeated = users[0].redeem(campaign["code"], headers={"Idempotency-Key": "anew"})
    assert (repeated.status_code, repeated.json()["id"]) == (201, old["id"])
    assert win_again(users[0], campaign)["id"] == old["id"]
    for user in users[2:]:
        won(user, campaign)
    wait_until_agreed(world)
    assert_whole(world, campaign, users)
    assert [event["renamed"] for event in world.pair.discount.events("redemptions_rebuilt")] == [1]


def test_who_claims_in_ignorance_of_the_end_is_told(make_world):
    """The fund has gone back, and does not come again: the credit fails, and the campaign is over here, too."""
    world = make_world(discount_arguments=["--settle-wait", "200"])
    user, campaign = world.user(), world.operator.campaign(places=3)
    copy = copy_of(world.pair.discount)
    path = f"/v1/campaigns/{campaign['id']}"
    assert world.operator.discount.post(f"{path}/end").status_code == 200
    wait_until(lambda: world.operator.discount.get(path).json()["fund"]["state"] == "released", "its fund goes back", AGREES_S)
    start_without_wallet(world, copy)
    answer = user.redeem(campaign["code"])
    assert answer.status_code == 202, answer.text
    world.pair.wallet.start()
    wait_until(lambda: user.discount.get(f"/v1/redemptions/{answer.json()['id']}").json()["status"] == "failed", "it fails", AGREES_S)
    assert [event["code"] for event in world.pair.discount.events("credit_failed")] == ["fund_released"] and user.balance() == 0
    wait_until(lambda: world.operator.discount.get(path).json()["fund"]["state"] == "released", "it is over here, too", AGREES_S)
    wait_until_agreed(world)


def test_more_places_than_the_fund_has_are_paid_when_an_admin_says_so(make_world):
    world = make_world(discount_arguments=["--settle-wait", "200"])
    users = [world.user() for _ in range(4)]
    campaign = world.operator.campaign(places=2)
    copy = copy_of(world.pair.discount)
    old = [won(user, campaign) for user in users[:2]]
    start_without_wallet(world, copy)
    for user in users[2:]:
        assert user.redeem(campaign["code"]).status_code == 202
    world.pair.wallet.start()
    wait_until(lambda: world.pair.discount.metric("discountd_redemptions_rebuilt_total") == 2, "the old ones are back", AGREES_S)
    for user, redemption in zip(users, old):
        assert win_again(user, campaign)["id"] == redemption["id"]
    found = world.operator.discount.get(f"/v1/campaigns/{campaign['id']}").json()
    assert (found["max_redemptions"], found["redeemed"], found["fund"]["state"]) == (4, 4, "open")
    assert_problem(world.user().redeem(campaign["code"]), 410, "sold_out")
    assert [user.balance() for user in users] == [CREDIT] * 2 + [0] * 2
    changed = world.operator.discount.request("PATCH", f"/v1/campaigns/{campaign['id']}", json={"max_redemptions": 4}, headers={"If-Match": "*"})
    assert changed.status_code == 200, changed.text
    wait_until(lambda: [user.balance() for user in users] == [CREDIT] * 4, "everybody is paid", AGREES_S)
    wait_until_agreed(world)


def test_a_conflict_is_named_and_no_place_is_given_out(make_world):
    """Whom it does not concern is paid all the same."""
    world = make_world(discount_arguments=["--settle-wait", "200"])
    discount = world.pair.discount
    winner, rival, other, late = [world.user() for _ in range(4)]
    campaign = world.operator.campaign(places=4, phone="any")
    copy = copy_of(discount)
    old = won(winner, campaign)
    start_without_wallet(world, copy)
    assert rival.redeem(campaign["code"], phone=winner.phone).status_code == 202
    assert other.redeem(campaign["code"]).status_code == 202
    world.pair.wallet.start()
    [event] = wait_until(lambda: discount.events("redemption_not_rebuilt"), "the conflict is said", AGREES_S)
    assert (event["redemption_id"], event["reason"]) == (old["id"], "another user has won with this phone")
    wait_until(lambda: discount.metric("discountd_rebuild_conflicts") == 1, "and counted, a moment later", AGREES_S)
    for options in ({}, {"headers": {"Idempotency-Key": "late"}}):
        assert_problem(late.redeem(campaign["code"], **options), 409, "campaign_recovering")
    assert_problem(winner.redeem(campaign["code"], phone=new_phone()), 409, "campaign_recovering")
    assert rival.redeem(campaign["code"], phone=winner.phone).status_code in (200, 202)
    assert world.operator.report(campaign["id"])["rejected"]["campaign_recovering"] == 3
    said = discount.reconcile()
    assert said.returncode == 1 and f"redemption {old['id']}: Wallet has paid it, Discount does not know it" in said.stdout
    wait_until(lambda: other.balance() == CREDIT, "whom it does not concern is paid")
    assert (winner.balance(), rival.balance()) == (CREDIT, 0)


def test_a_campaign_with_a_conflict_that_has_ended_gives_its_rest_back(make_world):
    """Of the winner whom a restored copy does not know Wallet does not say with which phone he won: he can't be made anew."""
    world = make_world(discount_arguments=["--settle-wait", "500"])
    discount = world.pair.discount
    known, nobody = world.user(), world.user()
    campaign = world.operator.campaign(places=3)
    won(known, campaign)
    assert discount.stop() == 0
    token = DiscountKey(discount.data).token("credits:write")
    gift = {"reference": str(uuid.uuid4()), "user_id": nobody.id, "amount": CREDIT, "currency": "IRT", "fund": campaign["id"]}
    assert world.wallet.post("/v1/credits", {"items": [gift]}, token=token).json()["items"][0]["status"] == "applied"
    discount.start()
    assert_problem(world.user().redeem(campaign["code"]), 409, "campaign_recovering")
    path = f"/v1/campaigns/{campaign['id']}"
    assert world.operator.discount.post(f"{path}/end").status_code == 200
    wait_until(lambda: world.operator.discount.get(path).json()["fund"]["state"] == "released", "its rest goes back", AGREES_S)
    assert crowds.rows(world.pair.wallet, "SELECT credited, released, is_released FROM funds") == [(2 * CREDIT, CREDIT, 1)]
    assert f"redemption {gift['reference']}: Wallet has paid it, Discount does not know it" in discount.reconcile().stdout


# ---- by hand ----

def repair(world):
    discount = world.pair.discount
    return discount.command("reconcile", "--data", discount.data, *discount.store_words, "--wallet", discount.wallet_url, "--repair")


def test_repair_by_hand(make_world):
    """While Discount is stopped: lost winners are there again, what was owed is paid, and the report is clean."""
    world = make_world(discount_arguments=["--settle-wait", "200"])
    discount = world.pair.discount
    users = [world.user() for _ in range(6)]
    campaign = world.operator.campaign(places=6)
    copy = copy_of(discount)
    old = [won(user, campaign) for user in users[:3]]
    said = repair(world)
    assert said.returncode == 0 and "discountd is running, and repairs by itself within a minute" in said.stdout and "reconciled: 1 campaigns, 3 transactions" in said.stdout
    start_without_wallet(world, copy)
    assert users[3].redeem(campaign["code"]).status_code == 202
    assert discount.stop() == 0
    assert repair(world).returncode == 1  # nobody can be asked
    world.pair.wallet.start()
    assert discount.reconcile().returncode == 1
    said = repair(world)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "reconciled: 1 campaigns, 4 transactions" in said.stdout
    assert [user.balance() for user in users[:4]] == [CREDIT] * 4
    assert discount.verify().returncode == 0
    discount.start()
    assert discount.metric("discountd_redemptions_rebuilt_total") == 0
    for user, redemption in zip(users, old):
        assert win_again(user, campaign)["id"] == redemption["id"]
    for user in users[4:]:
        won(user, campaign)
    assert_whole(world, campaign, users)
