"""Wallet's database is an older copy of itself: what it has lost is sent again, once, and nobody has to do anything."""
import pathlib
import shutil
import threading
import uuid

import pytest

from crash import crowds
from harness import cluster
from harness.services import CREDIT, wait_until

SETTLED_S = 60


class Copy:
    """Of a service's folder and database, which is stopped, as a backup has it."""

    def __init__(self, service):
        assert service.process is None or service.process.poll() is not None
        self.service = service
        self.folder = service.base / f"copy-{uuid.uuid4().hex}"
        shutil.copytree(service.data, self.folder)
        self.store = cluster.shared().copy(service.store) if service.store else None

    def restore(self):
        shutil.rmtree(self.service.data)
        shutil.copytree(self.folder, self.service.data)
        if self.store:
            self.service.store = cluster.shared().copy(self.store, instead_of=self.service.store)


def copy_of(wallet):
    assert wallet.stop() == 0
    copy = Copy(wallet)
    wallet.start()
    return copy


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
