"""Issuers of tokens for the tests: services of our own, and the wallet's own key for tokens that it would never sign."""
import base64
import functools
import json
import time
import uuid

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


def base64url(number):
    return base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()


@functools.cache
def private_key(name, kid):
    """Made once in a run: to make one costs a quarter of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Issuer:
    """A service with an RSA key of its own, known to Wallet by `--trust-service name=FILE`."""

    def __init__(self, name, kid=None):
        self.name = name
        self.kid = kid or f"{name}-key"
        self.private = private_key(self.name, self.kid)

    def jwks(self):
        public = self.private.public_key().public_numbers()
        return {"keys": [{"kty": "RSA", "kid": self.kid, "alg": "RS256", "use": "sig", "n": base64url(public.n), "e": base64url(public.e)}]}

    def write_jwks(self, folder):
        path = folder / f"{self.name}.jwks.json"
        path.write_text(json.dumps(self.jwks()))
        return path

    def public_pem(self):
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def claims(self, scope, **changes):
        """What a right service token says; a change to None takes the claim out."""
        now = int(time.time())
        claims = {"iss": self.name, "aud": "wallet", "sub": self.name, "scope": scope, "jti": str(uuid.uuid4()), "iat": now, "nbf": now, "exp": now + 300}
        claims.update(changes)
        return {name: value for name, value in claims.items() if value is not None}

    def sign(self, claims, algorithm="RS256", headers=None):
        return jwt.encode(claims, self.private, algorithm=algorithm, headers={"kid": self.kid, **(headers or {})})

    def token(self, scope="credits:write credits:issue funds:write", **changes):
        return self.sign(self.claims(scope, **changes))


class WalletKey(Issuer):
    """The wallet's own private key, read from its folder: signs tokens that the wallet itself would not."""

    def __init__(self, data):
        paths = sorted((data / "keys").glob("*.jwk"))
        assert len(paths) == 1, paths
        key = json.loads(paths[0].read_text())
        self.name = "wallet"
        self.kid = key["kid"]
        self.private = jwt.algorithms.RSAAlgorithm.from_jwk(json.dumps(key))

    def user_claims(self, user_id, scope="user", **changes):
        return self.claims(scope, **{"aud": ["wallet", "discount"], "sub": user_id, "preferred_username": "forged", "sid": str(uuid.uuid4()), **changes})
