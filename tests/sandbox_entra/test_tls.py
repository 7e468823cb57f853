"""The sandbox's CA: kept, renewed in time, and of no use for anything but loopback."""

import datetime
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from entra_sandbox import SandboxError, tls
from entra_sandbox.folder import Folder
from entra_sandbox.server import Sandbox, running
from entra_sandbox.vault import SealBroken, Vault, digest, matches


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "state.sqlite3")


def handshake(server: ssl.SSLContext, ca: bytes, name: str) -> None:
    """Connect to ``server`` trusting ``ca`` alone, expecting ``name``; ssl.SSLError if the client refuses."""
    client = ssl.create_default_context(cadata=ca.decode())
    one, other = socket.socketpair()

    def accept() -> None:
        with one:
            try:
                server.wrap_socket(one, server_side=True).close()
            except (ssl.SSLError, OSError):
                return  # the client refused; it is asked below

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        with other:
            client.wrap_socket(other, server_hostname=name).close()
    finally:
        thread.join()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_loopback_names_are_served(folder: Folder, name: str) -> None:
    ca, _ = tls.authority(folder)
    handshake(tls.listener_context(folder, ca), ca.pem, name)


def test_a_wrong_ca_is_refused(folder: Folder) -> None:
    ca, _ = tls.authority(folder)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tls.listener_context(folder, ca), tls.Authority.make("Another").pem, "localhost")


@pytest.mark.parametrize("name", ["login.microsoftonline.com", "localhost.example", "10.0.0.1"])
def test_a_certificate_for_another_host_is_worth_nothing(folder: Folder, name: str, tmp_path: Path) -> None:
    ca, _ = tls.authority(folder)
    certificate, key = ca.issue([name])
    (tmp_path / "leaf.pem").write_bytes(certificate)
    (tmp_path / "leaf.key").write_bytes(key)
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        handshake(tls.server_context(tmp_path / "leaf.pem", tmp_path / "leaf.key"), ca.pem, name)


def test_the_ca_is_kept_until_shortly_before_its_end(folder: Folder) -> None:
    first, file = tls.authority(folder)
    assert tls.authority(folder)[0].pem == first.pem == file.read_bytes()
    old = tls.Authority.make("Old", days=30)
    file.write_bytes(old.pem)
    folder.file("ca.key").write_bytes(
        old.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    renewed, _ = tls.authority(folder)
    assert renewed.pem not in (first.pem, old.pem)
    handshake(tls.listener_context(folder, renewed), renewed.pem, "localhost")


def test_an_old_listener_certificate_is_renewed(folder: Folder) -> None:
    ca, _ = tls.authority(folder)
    certificate, key = ca.issue(tls.LOOPBACK, days=10)
    folder.file("listener.pem").write_bytes(certificate)
    folder.file("listener.key").write_bytes(key)
    tls.listener_context(folder, ca)
    left = x509.load_pem_x509_certificate(folder.file("listener.pem").read_bytes()).not_valid_after_utc
    assert left - datetime.datetime.now(datetime.UTC) > datetime.timedelta(days=60)


KEPT = ("ca.pem", "ca.key", "listener.pem", "listener.key", "vault.key", "control-token")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state that was served once."""
    state = tmp_path_factory.mktemp("kept") / "state.sqlite3"
    with running(state):
        return state


@pytest.mark.parametrize("name", KEPT)
def test_what_the_sandbox_did_not_write_is_named_with_a_way_out(served: Path, name: str) -> None:
    file = Folder(served).file(name)
    kept = file.read_bytes()
    file.write_bytes(b"\xff\xfe buy milk")
    try:
        with pytest.raises(SandboxError) as refused:
            Sandbox(served)
    finally:
        file.write_bytes(kept)
    assert str(refused.value).startswith(f"{file} cannot be used: the sandbox did not write it; move {served} and")
    Sandbox(served).close()


def test_strict_verification_accepts_it(folder: Folder) -> None:
    ca, _ = tls.authority(folder)
    extensions = {one.oid._name for one in ca.certificate.extensions}
    assert {"basicConstraints", "keyUsage", "nameConstraints", "subjectKeyIdentifier"} <= extensions
    client = ssl.create_default_context(cadata=ca.pem.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    assert client.verify_flags & ssl.VERIFY_X509_STRICT
    handshake(tls.listener_context(folder, ca), ca.pem, "localhost")


def test_what_is_sealed_opens_with_this_folders_key_alone(folder: Folder, tmp_path: Path) -> None:
    sealed = Vault(folder).seal("secret")
    assert "secret" not in sealed
    assert Vault(folder).open_(sealed) == "secret"
    with pytest.raises(SealBroken):
        Vault(Folder(tmp_path / "other.sqlite3")).open_(sealed)
    with pytest.raises(SealBroken):
        Vault(folder).open_(sealed[:-4] + "AAAA")
    with pytest.raises(SealBroken):
        Vault(folder).open_(sealed, seconds=-1)
    assert folder.file("vault.key").stat().st_mode & 0o777 == 0o600


def test_a_digest_does_not_show_what_it_was_made_of() -> None:
    kept = digest("secret")
    assert "secret" not in kept
    assert kept != digest("secret")
    assert matches("secret", kept)
    assert not matches("Secret", kept)
