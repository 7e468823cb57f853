"""The sandbox's own certificate authority and the certificate of its listener (RFC 5280).

The authority may name loopback hosts only: its name constraints are critical, so a certificate that somebody makes
with its key for another host is refused by every client. It is trusted by nobody but those who are given ``ca.pem``.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from entra_sandbox.folder import Folder, write_private

__all__ = ["LOOPBACK", "Authority", "authority", "browser_arguments", "is_for_loopback_alone", "listener_context"]

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_CA_DAYS, _CA_RENEW_DAYS = 730, 60
_LEAF_DAYS, _LEAF_RENEW_DAYS = 90, 30


@dataclass(frozen=True)
class Authority:
    """A CA: its certificate and its key, which only signs in this process."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls, name: str, *, hosts: Iterable[str] = LOOPBACK, days: int = _CA_DAYS) -> Authority:
        """A new CA that may issue for ``hosts`` alone, valid for ``days``."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        usage = _key_usage(key_cert_sign=True, crl_sign=True)
        certificate = (
            _builder(subject, subject, key.public_key(), days)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.NameConstraints([_constraint(host) for host in hosts], None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    def issue(self, hosts: Iterable[str], *, days: int = _LEAF_DAYS) -> tuple[bytes, bytes]:
        """A server certificate for ``hosts``: (certificate PEM, key PEM)."""
        key = ec.generate_private_key(ec.SECP256R1())
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        issuer = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        certificate = (
            _builder(_name("Sandbox listener"), self.certificate.subject, key.public_key(), days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(own, critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key)

    @property
    def pem(self) -> bytes:
        """The certificate, to give to clients."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def authority(folder: Folder) -> tuple[Authority, Path]:
    """The CA of this folder and the file of its certificate; made, or renewed well before its end, when needed."""
    certificate_file, key_file = folder.file("ca.pem"), folder.file("ca.key")
    if certificate_file.exists() and key_file.exists():
        certificate = folder.load("ca.pem", x509.load_pem_x509_certificate)
        key = folder.load("ca.key", _key)
        if isinstance(key, ec.EllipticCurvePrivateKey) and _days_left(certificate) > _CA_RENEW_DAYS:
            return Authority(certificate, key), certificate_file
    ca = Authority.make("Entra sandbox")
    write_private(key_file, _key_pem(ca.key))
    folder.file("listener.pem").unlink(missing_ok=True)
    write_private(certificate_file, ca.pem)
    return ca, certificate_file


def listener_context(folder: Folder, ca: Authority) -> ssl.SSLContext:
    """A server context with a loopback certificate of ``ca``, kept in the folder and renewed when it is old."""
    certificate_file, key_file = folder.file("listener.pem"), folder.file("listener.key")
    if not _usable(folder, ca):
        certificate, key = ca.issue(LOOPBACK)
        write_private(key_file, key)
        write_private(certificate_file, certificate)
    return server_context(certificate_file, key_file)


def is_for_loopback_alone(certificate: x509.Certificate) -> bool:
    """Whether the CA may sign for nothing but loopback names, so that trusting it gives nobody anything."""
    permitted = certificate.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    return set(permitted) == {_constraint(host) for host in LOOPBACK}


def browser_arguments(folder: Folder) -> list[str]:
    """With these a browser made of Chromium takes the listener's key, and no other, without a CA.

    It reads them only beside a ``--user-data-dir`` of its own.
    """
    certificate = folder.load("listener.pem", x509.load_pem_x509_certificate)
    key = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = base64.b64encode(hashlib.sha256(key).digest()).decode()
    return [f"--ignore-certificate-errors-spki-list={digest}"]


def server_context(certificate_file: Path, key_file: Path) -> ssl.SSLContext:
    """TLS 1.2 or later, HTTP/1.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate_file, key_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _usable(folder: Folder, ca: Authority) -> bool:
    if not folder.file("listener.pem").exists() or not folder.file("listener.key").exists():
        return False
    certificate = folder.load("listener.pem", x509.load_pem_x509_certificate)
    if certificate.public_key() != folder.load("listener.key", _key).public_key():
        return False
    return certificate.issuer == ca.certificate.subject and _days_left(certificate) > _LEAF_RENEW_DAYS


def _days_left(certificate: x509.Certificate) -> float:
    return (certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)).total_seconds() / 86400


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))  # clients whose clock runs a little behind
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(**used: bool) -> x509.KeyUsage:
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    names = ("digital_signature", *others, "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: used.get(name, False) for name in names})


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _constraint(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_network(host))
    except ValueError:
        return x509.DNSName(host)


def _key(pem: bytes) -> PrivateKeyTypes:
    return serialization.load_pem_private_key(pem, None)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
