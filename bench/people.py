"""Who sends the load: users that walletd's own code registered, tokens signed with the wallet's own key, and a service with a key of its own."""
import base64
import json
import multiprocessing
import os
import subprocess
import time
import uuid

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .servers import BUILD

TOKEN_LIFETIME_S = 30 * 86400
SERVICE_TOKEN_LIFETIME_S = 290  # Wallet takes five minutes at most
PASSWORD = "correct horse battery"  # bench/load.c registers with it


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(text):
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


class Signer:
    """RS256 (RFC 7518, section 3.3)."""

    def __init__(self, private, kid):
        self.private = private
        self.kid = kid

    @staticmethod
    def of_wallet(data):
        (path,) = (data / "keys").glob("*.jwk")
        key = json.loads(path.read_text())
        public = rsa.RSAPublicNumbers(number(key["e"]), number(key["n"]))
        private = rsa.RSAPrivateNumbers(number(key["p"]), number(key["q"]), number(key["d"]), number(key["dp"]), number(key["dq"]), number(key["qi"]), public)
        return Signer(private.private_key(), key["kid"])

    @staticmethod
    def new(kid):
        return Signer(rsa.generate_private_key(public_exponent=65537, key_size=2048), kid)

    def jwks(self):
        numbers = self.private.public_key().public_numbers()
        parts = {name: base64url(value.to_bytes((value.bit_length() + 7) // 8, "big")) for name, value in (("n", numbers.n), ("e", numbers.e))}
        return {"keys": [{"kty": "RSA", "kid": self.kid, "alg": "RS256", "use": "sig", **parts}]}

    def sign(self, claims):
        signed = ".".join(base64url(json.dumps(part, separators=(",", ":")).encode()) for part in ({"alg": "RS256", "typ": "JWT", "kid": self.kid}, claims))
        return f"{signed}.{base64url(self.private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def user_claims(user_id, phone, name):
    now = int(time.time())
    return {"iss": "wallet", "aud": ["wallet", "discount"], "sub": user_id, "preferred_username": name, "phone_number": phone, "scope": "user",
            "sid": str(uuid.uuid4()), "jti": str(uuid.uuid4()), "iat": now - 1, "nbf": now - 1, "exp": now + TOKEN_LIFETIME_S}


def service_token(signer, name, scope):
    now = int(time.time())
    return signer.sign({"iss": name, "aud": "wallet", "sub": name, "scope": scope, "jti": str(uuid.uuid4()), "iat": now - 1, "nbf": now - 1, "exp": now + SERVICE_TOKEN_LIFETIME_S})


_signer = None


def _begin_signing(pem, kid):
    global _signer  # one per worker process
    _signer = Signer(serialization.load_pem_private_key(pem, None), kid)


def _sign_user(person):
    return _signer.sign(user_claims(*person))


def sign_users(signer, people):
    """[(id, phone, name)] → tokens, on all cores: a signature costs most of a millisecond."""
    pem = signer.private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with multiprocessing.Pool(os.cpu_count(), _begin_signing, (pem, signer.kid)) as pool:
        return pool.map(_sign_user, people, chunksize=100)


class People:
    """The users of one prepared wallet folder, with a token each."""

    def __init__(self, wallet_data, users_file, tokens_file):
        self.signer = Signer.of_wallet(wallet_data)
        rows = [line.split() for line in users_file.read_text().splitlines()]
        self.ids = [row[0] for row in rows]
        self.phones = [row[1] for row in rows]
        self.names = [f"bench{index:07d}" for index in range(len(rows))]
        if not tokens_file.exists():
            tokens_file.write_text("\n".join(sign_users(self.signer, list(zip(self.ids, self.phones, self.names)))))
        self.tokens = tokens_file.read_text().splitlines()
        assert len(self.tokens) == len(self.ids)
        self.next_fresh = 0

    def fresh(self, count):
        """The next ones in a circle longer than the services' caches of proven tokens: each comes as one never seen."""
        first = self.next_fresh
        self.next_fresh = (first + count) % len(self.ids)
        return [(first + index) % len(self.ids) for index in range(count)]


def load_users(data, users_file, count, build=BUILD):
    with open(users_file, "w", encoding="ascii") as file:
        subprocess.run([build / "bench" / "load", "users", data, str(count)], stdout=file, check=True)


def load_transfers(data, users_file, count, payees, build=BUILD):
    """Credits to the first so many users."""
    users = "".join(users_file.read_text().splitlines(keepends=True)[:payees])
    subprocess.run([build / "bench" / "load", "transfers", data, str(count)], input=users, text=True, check=True)
