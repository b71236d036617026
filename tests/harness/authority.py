"""A certificate authority of a test's own."""
import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _name(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Authority:
    """Its certificate is `certificate`; what it issues lies beside it."""

    def __init__(self, folder, name="authority"):
        self.folder = folder
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = folder / f"{name}.crt"
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        self.certificate.write_bytes(self._sign(name, self.key.public_key(), (constraints, True)))

    def _sign(self, name, public_key, *extensions):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (x509.CertificateBuilder().subject_name(_name(name)).issuer_name(_name(self.name)).public_key(public_key)
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=2)))
        for extension, is_critical in extensions:
            builder = builder.add_extension(extension, critical=is_critical)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def issue(self, name, hosts=("localhost", "127.0.0.1", "::1")):
        """(certificate, key), as files."""
        key = ec.generate_private_key(ec.SECP256R1())
        addresses = [x509.DNSName(host) if host[-1].isalpha() else x509.IPAddress(ipaddress.ip_address(host)) for host in hosts]
        certificate, private = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        certificate.write_bytes(self._sign(name, key.public_key(), (x509.SubjectAlternativeName(addresses), False)))
        private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return certificate, private
