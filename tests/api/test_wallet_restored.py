"""Wallet's database is an older copy of itself: what it has lost is sent again, once, and nobody has to do anything."""
import socket
import threading
import time

import pytest

from crash import crowds
from harness.copies import copy_of
from harness.services import CREDIT, DEADLINE_S, wait_until

SETTLED_S = 60


def put_back(copy):
    copy.service.kill()
    copy.restore()
    copy.service.start()


def assert_paid_once(world, users):
    """Each of them, by one transaction; then both sides' own proofs."""
    assert [user.balance() for user in users] == [CREDIT] * len(users)
    assert len(crowds.credits(world.pair)) == len(users)  # a reference twice fails there
    world.assert_clean()


def wait_until_paid(world, users):
    wait_until(lambda: [user.balance() for user in users] == [CREDIT] * len(users), "everybody is paid", SETTLED_S)
    wait_until(lambda: world.pair.discount.reconcile().returncode == 0, "the books agree", SETTLED_S)


def redeem(users, campaign):
    for user in users:
        answer = user.redeem(campaign["code"])
        assert answer.status_code == 201, answer.text


def restored_at(world, age, users):
    """A campaign whose eight places were given out, and a copy of Wallet from then."""
    copy = copy_of(world.pair.wallet) if age == "before the fund" else None
    campaign = world.operator.campaign(places=8)
    copy = copy or (copy_of(world.pair.wallet) if age == "before the first" else None)
    redeem(users[:5], campaign)
    copy = copy or (copy_of(world.pair.wallet) if age == "in the middle" else None)
    redeem(users[5:], campaign)
    return campaign, copy or copy_of(world.pair.wallet)


AGES = {"before the fund": 8, "before the first": 8, "in the middle": 3, "after the last": 0}


@pytest.mark.parametrize("is_restarted", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("age", AGES)
def test_what_wallet_has_lost_is_sent_again(make_world, age, is_restarted):
    world = make_world()
    discount = world.pair.discount
    users = [world.user() for _ in range(8)]
    campaign, copy = restored_at(world, age, users)
    before = discount.metric("discountd_credits_sent_again_total")
    if is_restarted:
        assert discount.stop() == 0
    put_back(copy)
    if is_restarted:
        discount.start()
    wait_until_paid(world, users)
    wait_until(lambda: discount.metric("discountd_credits_sent_again_total") - (0 if is_restarted else before) == AGES[age], "what was sent again is counted")
    if AGES[age]:
        [event] = discount.events("books_differ")
        assert (event["campaign_id"], event["missing_credits"], event["unknown_credits"]) == (campaign["id"], AGES[age], 0)
        assert [event["credits"] for event in discount.events("credits_sent_again")] == [AGES[age]]
    assert_paid_once(world, users)
    view = world.operator.report(campaign["id"])
    assert (view["redeemed"], view["credited"], view["failed"]) == (8, 8, 0)


def test_a_raised_limit_that_wallet_has_lost_is_paid_for_again(make_world):
    world = make_world()
    users = [world.user() for _ in range(6)]
    campaign = world.operator.campaign(places=3)
    redeem(users[:3], campaign)
    copy = copy_of(world.pair.wallet)
    changed = world.operator.discount.request("PATCH", f"/v1/campaigns/{campaign['id']}", json={"max_redemptions": 6}, headers={"If-Match": "*"})
    assert changed.status_code == 200, changed.text
    redeem(users[3:], campaign)
    put_back(copy)
    wait_until_paid(world, users)
    assert_paid_once(world, users)
    fund = crowds.rows(world.pair.wallet, "SELECT funded, credited, released FROM funds")
    assert fund == [(6 * CREDIT, 6 * CREDIT, 0)]


@pytest.mark.parametrize("places", [2, 5], ids=["all gone", "some left"])
def test_a_release_that_wallet_has_lost_comes_after_what_is_sent_again(make_world, places):
    world = make_world()
    users = [world.user() for _ in range(2)]
    campaign = world.operator.campaign(places=places)
    redeem(users[:1], campaign)
    copy = copy_of(world.pair.wallet)
    redeem(users[1:], campaign)
    path = f"/v1/campaigns/{campaign['id']}"
    assert world.operator.discount.post(f"{path}/end").status_code == 200
    wait_until(lambda: world.operator.discount.get(path).json()["fund"]["state"] == "released", "its fund is released")
    put_back(copy)
    wait_until_paid(world, users)
    wait_until(lambda: crowds.rows(world.pair.wallet, "SELECT credited, released, is_released FROM funds") == [(2 * CREDIT, (places - 2) * CREDIT, 1)], "released again")
    assert_paid_once(world, users)


def test_a_campaign_that_ends_before_anybody_has_noticed(make_world):
    """Its money must not go back before what Wallet has lost is paid out of it."""
    world = make_world()
    users = [world.user() for _ in range(3)]
    campaign = world.operator.campaign(places=9)
    copy = copy_of(world.pair.wallet)
    redeem(users, campaign)
    world.pair.wallet.kill()
    copy.restore()
    assert world.operator.discount.post(f"/v1/campaigns/{campaign['id']}/end").status_code == 200
    world.pair.wallet.start()
    wait_until_paid(world, users)
    wait_until(lambda: crowds.rows(world.pair.wallet, "SELECT credited, is_released FROM funds") == [(3 * CREDIT, 1)], "released")
    assert_paid_once(world, users)


def test_who_registered_after_the_copy_is_told_why(make_world):
    world = make_world()
    early, campaign = world.user(), world.operator.campaign(places=4)
    copy = copy_of(world.pair.wallet)
    late = world.user()
    redeem([early, late], campaign)
    put_back(copy)
    discount = world.pair.discount
    wait_until(lambda: discount.reconcile().returncode == 0, "the books agree", SETTLED_S)
    wait_until(lambda: discount.metric("discountd_credits_sent_again_total") == 2, "both were sent again")
    report = world.operator.report(campaign["id"])
    assert (report["redeemed"], report["credited"], report["failed"]) == (2, 1, 1)
    assert [(row["position"], row["status"]) for row in world.operator.winners(campaign["id"])] == [(1, "credited"), (2, "failed")]
    assert_paid_once(world, [early])


def test_nothing_is_sent_while_the_books_are_not_compared(make_world):
    """A claim that was left over when Discount was stopped goes out only after its campaign was judged."""
    world = make_world(discount_arguments=["--settle-wait", 100])
    discount, user, campaign = world.pair.discount, world.user(), world.operator.campaign(places=4)
    world.pair.wallet.kill()
    assert user.redeem(campaign["code"]).status_code == 202
    assert discount.stop() == 0
    world.pair.wallet.start()
    discount.start()
    wait_until(lambda: user.balance() == CREDIT, "it is paid")
    assert discount.metric("discountd_books_differences") == 0 and not discount._events("books_differ")
    world.assert_clean()


@pytest.mark.parametrize("round_", range(2))
def test_wallet_is_put_back_while_a_crowd_runs(make_world, round_):
    world = make_world()
    users = [world.user() for _ in range(60)]
    campaign = world.operator.campaign(places=40)
    copy = copy_of(world.pair.wallet)
    answers, begun = [], threading.Semaphore(0)

    def take_part(user):
        answers.append((user, user.redeem(campaign["code"], timeout=60)))
        begun.release()

    crowd = [threading.Thread(target=take_part, args=(user,)) for user in users]
    for thread in crowd[:30]:
        thread.start()
    for _ in range(10 + 10 * round_):
        begun.acquire()
    world.pair.wallet.kill()
    for thread in crowd[30:]:
        thread.start()
    copy.restore()
    world.pair.wallet.start()
    for thread in crowd:
        thread.join()
    assert {answer.status_code for _, answer in answers} <= {201, 202, 410}
    winners = [user for user, answer in answers if answer.status_code in (201, 202)]
    assert len(winners) == 40
    wait_until_paid(world, winners)
    report = world.operator.report(campaign["id"])
    assert (report["redeemed"], report["credited"], report["failed"]) == (40, 40, 0)
    assert_paid_once(world, winners)


def test_the_same_copy_again_and_again(make_world):
    world = make_world()
    users = [world.user() for _ in range(9)]
    campaign = world.operator.campaign(places=9)
    copy = copy_of(world.pair.wallet)
    for index in range(3):
        redeem(users[3 * index:3 * index + 3], campaign)
        put_back(copy)
        wait_until_paid(world, users[:3 * index + 3])
    assert_paid_once(world, users)


@pytest.mark.parametrize("older", ["wallet", "discount"])
def test_both_are_put_back_to_different_times(make_world, older):
    """What both have lost is lost, and its places are free again; what one of them has is in both."""
    world = make_world()
    users = [world.user() for _ in range(9)]
    campaign = world.operator.campaign(places=9)
    sides = [world.pair.wallet, world.pair.discount] if older == "wallet" else [world.pair.discount, world.pair.wallet]
    copies = []
    for index in range(3):
        redeem(users[3 * index:3 * index + 3], campaign)
        copies += [copy_of(side) for side in sides[index:index + 1]]
    world.pair.discount.kill()
    world.pair.wallet.kill()
    for copy in copies:
        copy.restore()
    world.pair.wallet.start()
    world.pair.discount.start()
    wait_until_paid(world, users[:6])
    assert [user.balance() for user in users[6:]] == [0] * 3
    wait_until(lambda: users[6].redeem(campaign["code"]).status_code in (200, 201), "places are given out again", SETTLED_S)
    redeem(users[7:], campaign)
    assert_paid_once(world, users)
    assert [row["position"] for row in world.operator.winners(campaign["id"])] == list(range(1, 10))


def test_a_start_without_wallet_waits_no_longer_than_it_must(make_world):
    world = make_world(discount_arguments=["--settle-wait", 100])
    user, campaign = world.user(), world.operator.campaign()
    world.pair.wallet.kill()
    world.pair.discount.kill()
    world.pair.discount.start()  # and it listens
    assert user.redeem(campaign["code"]).status_code == 202
    world.pair.wallet.start()
    wait_until_paid(world, [user])
    assert_paid_once(world, [user])


def stop_while_it_waits(discount, wallet_port):
    """From the signal to the end, in seconds. Wallet takes its first question, and does not answer: at a door of its own, where no earlier process still waits."""
    with socket.create_server(("127.0.0.1", wallet_port)) as silent:
        silent.settimeout(DEADLINE_S)
        discount.start(wait=False)
        asked = b""
        while b"GET /v1/instance" not in asked:  # with this the comparison begins, and the start waits for it
            connection, _ = silent.accept()
            asked = connection.recv(4096)
        begun = time.monotonic()
        assert discount.stop() == 0, discount.tail()
        return time.monotonic() - begun


def test_a_stop_while_it_waits_for_wallet_is_obeyed(make_world):
    """Not when the two seconds of that wait are over. A slow machine may try again."""
    world = make_world(discount_arguments=["--settle-wait", 100])
    user, campaign = world.user(), world.operator.campaign()
    world.pair.wallet.kill()
    assert user.redeem(campaign["code"]).status_code == 202
    assert world.pair.discount.stop() == 0
    assert any(stop_while_it_waits(world.pair.discount, world.pair.wallet.port) < 1.5 for _ in range(4))
    world.pair.wallet.start()
    world.pair.discount.start()
    wait_until_paid(world, [user])
    assert_paid_once(world, [user])
