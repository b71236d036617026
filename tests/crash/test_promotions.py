"""kill -9 while those who wait are promoted: each of them gets one place and one credit, in the order in which they came."""
from crash import crowds
from harness.client import User
from harness.services import CREDIT, wait_until

WAITING, KILLS = crowds.scaled(24, 6), crowds.scaled(6, 2)


def test_each_who_waits_is_promoted_once_among_kills(make_pair, seeded):
    pair = make_pair().start()
    operator = crowds.operator_of(pair)
    campaign = operator.campaign(places=1, waiting_list=WAITING)
    users = [User(operator.wallet.with_token(None), operator.discount) for _ in range(WAITING + 1)]
    answers = [user.redeem(campaign["code"]) for user in users]
    assert [answer.status_code for answer in answers[1:]] == [202] * WAITING
    line = [answer.json()["id"] for answer in answers[1:]]
    path = f"/v1/redemptions/{answers[0].json()['id']}"
    wait_until(lambda: operator.discount.get(path).json()["status"] == "credited", "the only place is paid")
    places = 1
    for _ in range(KILLS):
        places = min(1 + WAITING, places + seeded.randint(1, 1 + WAITING // KILLS))
        operator.discount.request("PATCH", f"/v1/campaigns/{campaign['id']}", json={"max_redemptions": places}, headers={"If-Match": "*"})
        for victim in seeded.choice([[pair.discount], [pair.wallet], [pair.wallet, pair.discount]]):  # promoting, or paying those who were
            victim.kill()
        for service in (pair.wallet, pair.discount):
            if service.process.poll() is not None:
                service.start()
    operator.discount.post(f"{path}/reversal", {"reason": "x", "slot": "promote"})
    pair.discount.kill()
    pair.discount.start()
    wait_until(lambda: operator.discount.get(path).json()["status"] == "reversed", "the first is taken back")
    operator.discount.request("PATCH", f"/v1/campaigns/{campaign['id']}", json={"max_redemptions": 1 + WAITING}, headers={"If-Match": "*"})
    wait_until(lambda: operator.report(campaign["id"])["waiting"] == 0, "nobody waits any more")
    operator.wait_settled(campaign["id"])
    found = [operator.discount.get(f"/v1/redemptions/{id}").json() for id in line]
    assert [(item["status"], item["position"]) for item in found] == [("credited", position) for position in range(2, WAITING + 2)]
    assert [user.balance() for user in users] == [0] + [CREDIT] * WAITING
    crowds.assert_clean(pair)
