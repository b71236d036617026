"""Attacks on tokens, on both services: each ends in 401; and who holds a good one but may not, gets 403."""
import base64
import json
import time
import uuid

import jwt
import pytest

from harness.raw import request_bytes, ask
from harness.tokens import Issuer, base64url
from harness.world import assert_problem

SERVICES = ["wallet", "discount"]
PATHS = {"wallet": "/v1/wallet", "discount": "/v1/redemptions"}
LEEWAY_S = 30  # --clock-leeway
SOME_ID = "019aab20-4c00-7a31-9f00-5b1e2c3d4e01"


def part(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


@pytest.fixture(scope="module")
def victim(world):
    return world.user()


@pytest.fixture(scope="module")
def key(world):
    return world.wallet_key


@pytest.fixture(params=SERVICES)
def get(world, request):
    """Asks a user's route with this Authorization header."""
    def ask_with(authorization):
        headers = {} if authorization is None else {"Authorization": authorization}
        return world.client(request.param).get(PATHS[request.param], headers=headers)
    ask_with.service = request.param
    return ask_with


def assert_refused(answer, code):
    assert_problem(answer, 401, code)
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith("Bearer")
    assert ('error="invalid_token"' in challenge) == (code != "token_missing"), challenge


def test_the_victims_own_token_is_good(get, victim):
    assert get(f"Bearer {victim.token}").status_code == 200
    assert get(f"bearer {victim.token}").status_code == 200
    assert get(f"BEARER   {victim.token}").status_code == 200


def test_claims_signed_again_are_good(get, victim, key):
    """So that the attacks below fail for their own reason, and not because our signing is wrong."""
    assert get("Bearer " + key.sign(claims_of(victim.token))).status_code == 200


@pytest.mark.parametrize("authorization", [None, "", "Basic dXNlcjpwYXNz", "Digest username=x", "token abc"])
def test_no_token(get, authorization):
    assert_refused(get(authorization), "token_missing")


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer ", "Bearer x", "Bearer ..", "Bearer a.b.c", "Bearer a.b.c.d", "Bearer null", "Bearer {}", "Bearer a b", "Bearer a,b",
                                           "Bearer " + "." * 100, "Bearer eyJhbGciOiJSUzI1NiJ9..", "Bearer =.=.="])
def test_no_jwt(get, authorization):
    assert_refused(get(authorization), "token_invalid")


CHANGED_CLAIMS = {
    "expired": ({"exp": lambda now: now - LEEWAY_S - 1, "iat": lambda now: now - 100, "nbf": lambda now: now - 100}, "token_expired"),
    "expires now": ({"exp": lambda now: now - LEEWAY_S, "iat": lambda now: now - 100, "nbf": lambda now: now - 100}, "token_expired"),
    "long expired": ({"exp": lambda now: now - 10 ** 8, "iat": lambda now: now - 10 ** 9, "nbf": lambda now: 1}, "token_expired"),
    "not yet valid": ({"nbf": lambda now: now + 60}, "token_invalid"),
    "issued in the future": ({"iat": lambda now: now + 60}, "token_invalid"),
    "another issuer": ({"iss": lambda now: "mallory"}, "token_invalid"),
    "the other service as issuer": ({"iss": lambda now: "discount"}, "token_invalid"),
    "a trusted service as issuer": ({"iss": lambda now: "shop"}, "token_invalid"),
    "issuer in capitals": ({"iss": lambda now: "Wallet"}, "token_invalid"),
    "issuer with a blank": ({"iss": lambda now: "wallet "}, "token_invalid"),
    "issuer as a list": ({"iss": lambda now: ["wallet"]}, "token_invalid"),
    "no issuer": ({"iss": None}, "token_invalid"),
    "another audience": ({"aud": lambda now: "elsewhere"}, "token_invalid"),
    "other audiences": ({"aud": lambda now: ["elsewhere", "walletx", "xdiscount"]}, "token_invalid"),
    "audience as an object": ({"aud": lambda now: {"wallet": 1, "discount": 1}}, "token_invalid"),
    "no audience": ({"aud": None}, "token_invalid"),
    "empty audience": ({"aud": lambda now: []}, "token_invalid"),
    "no expiry": ({"exp": None}, "token_invalid"),
    "expiry in words": ({"exp": lambda now: "2100-01-01T00:00:00Z"}, "token_invalid"),
    "expiry as text": ({"exp": lambda now: str(now + 100)}, "token_invalid"),
    "negative expiry": ({"exp": lambda now: -1}, "token_invalid"),
    "endless expiry": ({"exp": lambda now: 10 ** 30}, "token_invalid"),
    "no subject": ({"sub": None}, "token_invalid"),
    "subject in words": ({"sub": lambda now: "admin"}, "token_invalid"),
    "no session": ({"sid": None}, "token_invalid"),
}


@pytest.mark.parametrize("name", CHANGED_CLAIMS)
def test_wrong_claims(get, victim, key, name):
    changes, code = CHANGED_CLAIMS[name]
    now = int(time.time())
    claims = {**claims_of(victim.token), **{claim: change and change(now) for claim, change in changes.items()}}
    payload = {claim: value for claim, value in claims.items() if value is not None}
    if name in ("issuer as a list", "expiry in words", "expiry as text", "audience as an object", "endless expiry"):
        token = jwt.api_jws.encode(json.dumps(payload).encode(), key.private, algorithm="RS256", headers={"kid": key.kid})
    else:
        token = key.sign(payload)
    assert_refused(get(f"Bearer {token}"), code)


def unsigned(claims, header, signature=""):
    return f"{part(header)}.{part(claims)}.{signature}"


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
def test_no_signature(get, victim, key, algorithm):
    for header in ({"alg": algorithm, "kid": key.kid, "typ": "JWT"}, {"alg": algorithm}):
        for signature in ("", victim.token.split(".")[2], "AA"):
            assert_refused(get("Bearer " + unsigned(claims_of(victim.token), header, signature)), "token_invalid")


def hmac_token(claims, header, secret):
    import hashlib
    import hmac
    signed = f"{part(header)}.{part(claims)}"
    return f"{signed}.{part(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def test_hs256_signed_with_the_public_key(world, get, victim, key):
    public = world.wallet.get("/.well-known/jwks.json")
    jwk = public.json()["keys"][0]
    modulus = base64.urlsafe_b64decode(jwk["n"] + "==")
    secrets = [key.public_pem(), key.public_pem().strip(), jwk["n"].encode(), modulus, public.content, json.dumps(jwk, separators=(",", ":")).encode(), b""]
    for secret in secrets:
        for header in ({"alg": "HS256", "typ": "JWT", "kid": key.kid}, {"alg": "HS256"}):
            assert_refused(get("Bearer " + hmac_token(claims_of(victim.token), header, secret)), "token_invalid")


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
def test_the_header_never_chooses_the_algorithm(get, victim, key, algorithm):
    assert_refused(get("Bearer " + key.sign(claims_of(victim.token), algorithm=algorithm)), "token_invalid")


def test_unknown_keys(get, victim, key):
    mallory = Issuer("wallet", kid="unknown-key")
    assert_refused(get("Bearer " + mallory.sign(claims_of(victim.token))), "token_invalid")
    mallory.kid = key.kid
    assert_refused(get("Bearer " + mallory.sign(claims_of(victim.token))), "token_invalid")
    for kid in ("", "../../../etc/passwd", "x" * 3000, "' OR 1=1 --", None):
        header = {"alg": "RS256", "typ": "JWT", **({} if kid is None else {"kid": kid})}
        signed = f"{part(header)}.{part(claims_of(victim.token))}"
        signature = key.private.sign(signed.encode(), *_pkcs())
        assert_refused(get(f"Bearer {signed}.{part(signature)}"), "token_invalid")


def _pkcs():
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    return padding.PKCS1v15(), hashes.SHA256()


def test_keys_brought_along(get, victim, key):
    mallory = Issuer("wallet")
    public = mallory.private.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": base64url(public.n), "e": base64url(public.e), "kid": key.kid}
    for extra in ({"jwk": jwk}, {"jku": "http://127.0.0.1:1/keys"}, {"x5u": "http://127.0.0.1:1/"}, {"x5c": ["AAAA"]}):
        mallory.kid = key.kid
        assert_refused(get("Bearer " + mallory.sign(claims_of(victim.token), headers=extra)), "token_invalid")
    assert_refused(get("Bearer " + key.sign(claims_of(victim.token), headers={"crit": ["exp"]})), "token_invalid")


def test_cut_tokens(get, victim):
    token = victim.token
    for size in (1, 10, token.index("."), token.index(".") + 1, token.rindex("."), token.rindex(".") + 1, len(token) - 10, len(token) - 1):
        assert_refused(get(f"Bearer {token[:size]}"), "token_invalid")
    head, body, signature = token.split(".")
    for cut in (f"{body}.{signature}", f"{head}.{signature}", f".{body}.{signature}", f"{head}..{signature}", f"{head}.{body}.", f"{head}.{body}"):
        assert_refused(get(f"Bearer {cut}"), "token_invalid")


def test_tampered_tokens(get, victim):
    token = victim.token
    head, body, signature = token.split(".")
    for name, value in (("sub", SOME_ID), ("scope", "user admin"), ("exp", int(time.time()) + 10 ** 6), ("preferred_username", "admin")):
        claims = {**claims_of(token), name: value}
        assert_refused(get(f"Bearer {head}.{part(claims)}.{signature}"), "token_invalid")
    for index in range(0, len(token), 37):
        if token[index] != ".":
            other = "A" if token[index] != "A" else "B"
            assert get(f"Bearer {token[:index]}{other}{token[index + 1:]}").status_code == 401, index
    assert get(f"Bearer {token}A").status_code == 401
    assert get(f"Bearer {token}=").status_code == 401
    last = token[-1]
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        if other != last:
            assert get(f"Bearer {token[:-1]}{other}").status_code == 401, other


@pytest.mark.parametrize("algorithm", ["ES256", "HS256", "RS384", "PS256", "none", "rs256", "RS256 ", ""])
def test_a_good_signature_under_another_algorithms_name(get, victim, key, algorithm):
    """The key's own signature, over a header that names another algorithm: what the key would verify is not what the header says."""
    for name, status in (("RS256", 200), (algorithm, 401)):
        signed = f"{part({'alg': name, 'typ': 'JWT', 'kid': key.kid})}.{part(claims_of(victim.token))}"
        answer = get(f"Bearer {signed}.{part(key.private.sign(signed.encode(), *_pkcs()))}")
        assert answer.status_code == status, answer.text
        if status == 401:
            assert_refused(answer, "token_invalid")


def test_signed_but_written_in_another_way(get, victim, key):
    """Good claims under a good signature, but base64 that is not the one text of its bytes (RFC 7515, section 2)."""
    for filling in ("", "?", "??", "???"):  # so that the parts end in all three ways
        header = part({"alg": "RS256", "typ": "JWT", "kid": key.kid, "filling": filling})
        claims = part({**claims_of(victim.token), "filling": filling + "\u07ff?>~"})
        standard = base64.b64encode(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))).decode()
        changed_bits = claims[:-1] + chr(ord(claims[-1]) + 1)  # of the last letter, where only unused bits change
        others = [claims + "=" * (-len(claims) % 4 or 4), claims + "A", claims + "\t", claims[:40] + "!" + claims[40:], standard]
        others += [changed_bits] if len(claims) % 4 else []
        for number, body in enumerate([claims, *others]):
            signed = f"{header}.{body}"
            signature = part(key.private.sign(signed.encode(), *_pkcs()))
            answer = get(f"Bearer {signed}.{signature}")
            if body == claims:
                assert answer.status_code == 200, answer.text
            else:
                assert_refused(answer, "token_invalid")


def test_huge_tokens(world, get, victim, key):
    claims = {**claims_of(victim.token), "filling": "x" * 4000}
    assert_refused(get("Bearer " + key.sign(claims)), "token_invalid")
    for size in (4096, 4097, 8000, 15000):
        assert_refused(get("Bearer " + "A" * size), "token_invalid")
        assert_refused(get(f"Bearer {victim.token}" + "A" * (size - len(victim.token))), "token_invalid")
    data = request_bytes("GET", PATHS[get.service], {"Authorization": "Bearer " + "A" * 100_000})
    assert ask(world.service(get.service).port, data).status == 431


def test_claims_that_come_twice(get, victim, key):
    claims = json.dumps(claims_of(victim.token))
    doubled = claims[:-1] + ', "scope": "user admin"}'
    token = jwt.api_jws.encode(doubled.encode(), key.private, algorithm="RS256", headers={"kid": key.kid})
    assert_refused(get(f"Bearer {token}"), "token_invalid")


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"{", b"\xff", b'"text"', b"1" * 1000, b"[" * 3000], ids=lambda payload: repr(payload[:10]))
def test_signed_nonsense(get, key, payload):
    token = jwt.api_jws.encode(payload, key.private, algorithm="RS256", headers={"kid": key.kid})
    assert_refused(get(f"Bearer {token}"), "token_invalid")


def test_service_tokens_are_good_for_their_service_only(world):
    shop = world.issuers["shop"]
    assert world.shop.get("/v1/funds/none").status_code == 404
    for changes in ({"aud": "discount"}, {"aud": None}, {"iss": "bank"}, {"iss": "discount"}, {"iss": "wallet"}, {"iss": None}):
        assert_refused(world.wallet.get("/v1/funds/none", token=shop.token(**changes)), "token_invalid")
    now = int(time.time())
    assert_refused(world.wallet.get("/v1/funds/none", token=shop.token(exp=now - LEEWAY_S - 1, iat=now - 300, nbf=now - 300)), "token_expired")
    assert_refused(world.wallet.get("/v1/funds/none", token=shop.token(nbf=now + 60)), "token_invalid")
    assert_refused(world.discount.get("/v1/redemptions", token=shop.token(aud="discount")), "token_invalid")


def test_expiry_is_checked_at_each_request(world, victim, key):
    """Also of a token that the service remembers as good: 200 until it expires, and never again after."""
    expires = int(time.time()) + 2
    token = key.sign({**claims_of(victim.token), "iat": expires - 100, "nbf": expires - 100, "exp": expires - LEEWAY_S, "jti": str(uuid.uuid4())})
    clients = [world.client(name).with_token(token) for name in SERVICES]
    good = 0
    while True:
        before = time.time()
        answers = [client.get(PATHS[name]) for name, client in zip(SERVICES, clients)]
        after = time.time()
        if before >= expires:
            for answer in answers:
                assert_refused(answer, "token_expired")
            break
        if after < expires:
            assert [answer.status_code for answer in answers] == [200, 200]
            good += 1
        assert before < expires + 30
    assert good >= 1


# ---- good tokens in the wrong place ----

def operations(world, service):
    for method, path, operation in world.contracts[service].operations():
        if operation["x-scope"] != "-":
            yield method, path.replace("{id}", SOME_ID).replace("{reference}", "some").replace("{key}", "some"), operation["x-scope"]


def send(client, method, path, token):
    body = {} if method in ("POST", "PUT", "PATCH") and not path.endswith(("/pause", "/resume", "/end", "/release")) else None
    return client.request(method, path, json=body, token=token, headers={"If-Match": '"1"'} if method == "PATCH" else None)


@pytest.mark.parametrize("service", SERVICES)
def test_each_route_asks_for_a_token(world, service):
    client = world.client(service)
    for method, path, _ in operations(world, service):
        assert_refused(send(client, method, path, None), "token_missing")
        assert_refused(send(client, method, path, "a.b.c"), "token_invalid")


@pytest.mark.parametrize("service", SERVICES)
def test_a_user_may_not_use_the_routes_of_admins_and_services(world, service, stranger):
    scopes = set()
    for method, path, scope in operations(world, service):
        if scope not in ("user", "any"):
            assert_problem(send(world.client(service), method, path, stranger.token), 403, "forbidden")
            scopes.add(scope)
    asked = {"admin", "credits:write", "funds:write", "holds:write", "payments:write", "reversals:write|admin", "service", "users:write"} if service == "wallet" else {"admin"}
    assert scopes == asked


def test_an_admin_may_not_use_the_routes_of_services(world):
    for method, path, scope in operations(world, "wallet"):
        if scope.endswith(":write"):
            assert_problem(send(world.wallet, method, path, world.operator.token), 403, "forbidden")


def test_an_admin_is_a_user_too(world):
    assert world.operator.wallet.get("/v1/wallet").status_code == 200
    assert world.operator.discount.get("/v1/redemptions").status_code == 200


@pytest.mark.parametrize("granted", [None, "", "credits:write", "funds:write", "credits", "credits:writes", "CREDITS:WRITE", "credits:read user admin", "*"])
def test_a_service_needs_the_scope_itself(world, granted):
    token = world.issuers["shop"].token(granted) if granted is not None else world.issuers["shop"].token(scope=None)
    for method, path, scope in operations(world, "wallet"):
        answer = send(world.wallet, method, path, token)
        if scope in ("service", "any") or (scope.endswith(":write") and scope in (granted or "").split()):
            assert answer.status_code in (200, 404, 422), (method, path, answer.text)
        else:
            assert_problem(answer, 403, "forbidden")
            assert 'error="insufficient_scope"' in answer.headers.get("WWW-Authenticate", 'error="insufficient_scope"')


def test_a_service_can_not_make_itself_an_admin_or_a_user(world):
    token = world.issuers["shop"].token("user admin credits:write", sub=world.user().id, sid=SOME_ID)
    assert_problem(world.wallet.get("/v1/wallet", token=token), 403, "forbidden")
    assert_problem(world.wallet.get("/v1/accounts", token=token), 403, "forbidden")
