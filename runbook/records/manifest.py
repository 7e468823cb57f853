"""``manifest.json`` and ``manifest.sig``: what seals a record. How both are checked stands in :mod:`.verify`.

The manifest names every file of the record with its size and SHA-256, and the head of the journal. Signed with an
Ed25519 key from the secret store it shows that nobody without that key changed anything; unsigned it finds accidents.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

from runbook import whole
from runbook.errors import RecordError, SecretStoreError
from runbook.records import publishing, verify
from runbook.records.journal import read, verify_chain
from runbook.secrets.secret import Secret
from runbook.version import VERSION


def seal(folder: str | os.PathLike[str], key: Secret | None = None) -> Path:
    """Write the manifest of a finished record, signed if there is a ``key`` (Ed25519 private key, PEM).

    Nothing may be written into the record afterwards. Returns the manifest's path. Raises :class:`RecordError` if the
    journal is damaged, a file still holds a secret (it is withheld then, and the record stays unsealed), or something
    cannot be read or written; :class:`SecretStoreError` if the key is not an Ed25519 key.
    """
    root = Path(folder)
    signer = None if key is None else _private_key(key)
    public = None if signer is None else signer.public_key().public_bytes_raw()
    events = read(root)
    problems = verify_chain(events)
    if problems:
        raise RecordError(f"the journal of {root} is damaged: {problems[0]}", next_step="keep the record as it is.")
    manifest: dict[str, Any] = {
        "format": verify.FORMAT,
        "run_id": events[0].get("run_id", "") if events else "",
        "tool": f"entra-id-runbook {VERSION}",
        "journal": {
            "file": verify.JOURNAL,
            "events": len(events),
            "head": events[-1]["hash"] if events else verify.GENESIS,
        },
        "signed_by": None if public is None else verify.fingerprint(public),
    }
    try:
        for leftover in filter(whole.is_leftover, list(verify.files_of(root))):
            leftover.unlink()
        publishing.check(root)
        manifest["files"] = [_entry(root, path) for path in verify.files_of(root)]
        manifest["digest"] = verify.digest(manifest)
        content = verify.render(manifest)
        if signer is None or public is None:
            (root / verify.SIGNATURE).unlink(missing_ok=True)
        else:
            document = verify.signature_document(public, signer.sign(content))
            whole.write(root / verify.SIGNATURE, verify.render(document))
        whole.write(root / verify.MANIFEST, content)
    except OSError as error:
        raise RecordError(f"the record {root} could not be sealed: {error.strerror or error}") from error
    return root / verify.MANIFEST


def public_key(key: Secret) -> str:
    """The public half of a signing key (PEM): what an auditor is given."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = _private_key(key).public_key()
    return str(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def new_key() -> Secret:
    """A new signing key: an Ed25519 private key, PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    made = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Secret(made.decode())


def _private_key(key: Secret) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    problem = SecretStoreError.named("no_signing_key")
    try:
        private = load_pem_private_key(key.reveal().encode(), password=None)
    except (ValueError, TypeError):
        raise problem from None  # the cause could quote the key
    if not isinstance(private, Ed25519PrivateKey):
        raise problem
    return private


def _entry(root: Path, path: Path) -> dict[str, Any]:
    name = path.relative_to(root).as_posix()
    if path.is_symlink():
        raise RecordError(f"{name} in the record {root} is a link; a record holds files only")
    content = path.read_bytes()
    entry: dict[str, Any] = {"path": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    if path.suffix == ".ipynb":
        entry["cells"] = verify.cell_digests(content)
    return entry
