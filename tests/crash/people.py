"""Users by the thousand: registered over HTTP, their tokens signed with the wallet's own key, as logging each in would only cost time."""
import concurrent.futures
import http.client
import json
import uuid

from harness.client import PASSWORD, new_phone, new_username, redemption_bytes
from harness.raw import at_once
from harness.tokens import WalletKey

WORKERS = 4


class Person:
    def __init__(self, phone):
        self.username, self.phone = new_username(), phone
        self.id = self.token = None

    def redemption(self, code, **headers):
        return redemption_bytes(self.token, code, self.phone, **headers)


def _register(port, people):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for person in people:
        body = json.dumps({"username": person.username, "password": PASSWORD, "phone": person.phone})
        connection.request("POST", "/v1/users", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 201, content
        person.id = json.loads(content)["id"]
    connection.close()


def gather(pair, count):
    people = [Person(new_phone()) for _ in range(count)]
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for done in [pool.submit(_register, pair.wallet.port, people[i::WORKERS]) for i in range(WORKERS)]:
            done.result()
    key = WalletKey(pair.wallet.data)
    for person in people:
        person.token = key.sign(key.user_claims(person.id, phone_number=person.phone, jti=str(uuid.uuid4())))
    return people


def redeem_at_once(pair, code, people, **headers):
    """[(person, answer)]; the answer is None where the connection was closed without one."""
    return list(zip(people, at_once(pair.discount.port, [person.redemption(code, **headers) for person in people])))
