"""Secrets and keys of applications and service principals: addPassword, removePassword, addKey, removeKey, and the
tenant's app management policy that may forbid them.

learn.microsoft.com/graph/api/application-addpassword and …/resources/applicationauthenticationmethodpolicy
"""

from __future__ import annotations

import base64
import secrets
import string
import uuid
from datetime import datetime
from typing import Any

from entra_sandbox.entra import credentials
from entra_sandbox.graph import access, app_management, errors, objects, schema
from entra_sandbox.graph.call import Answer, Call
from entra_sandbox.graph.odata.answer import context
from entra_sandbox.graph.resource import Document, Resource, Route

__all__ = ["ROUTES", "check_keys", "new_password"]

_ALPHABET = string.ascii_letters + string.digits + "_.~-"
_YEARS = 2
_MOST_FOR_PERSONAL = 2


def add_password(call: Call, resource: Resource) -> Answer:
    """200 with the new credential, ``secretText`` this once."""
    body = _parameters(call, {"passwordcredential"})
    wanted = schema.check_body("passwordCredential", body.get("passwordcredential") or {}, "PasswordCredential")
    with call.store.transaction():
        doc = _owned(call, resource)
        shown = new_password(call, doc, wanted)
        kept = [*doc.get("passwordCredentials", []), {**shown, "secretText": None}]
        call.store.update(resource.entity, doc["id"], {"passwordCredentials": kept}, call.tenant)
    return Answer(200, {"@odata.context": context(call.base, "microsoft.graph.passwordCredential", ()), **shown})


def remove_password(call: Call, resource: Resource) -> Answer:
    """204"""
    key_id = _key_id(_parameters(call, {"keyid"}))
    with call.store.transaction():
        doc = _owned(call, resource)
        kept = [one for one in doc.get("passwordCredentials", []) if one["keyId"] != key_id]
        if len(kept) == len(doc.get("passwordCredentials", [])):
            raise errors.bad_request("No password credential found with keyId.", target="keyId")
        credentials.forget_secret(call.store, key_id)
        call.store.update(resource.entity, doc["id"], {"passwordCredentials": kept}, call.tenant)
    return Answer(204)


def add_key(call: Call, resource: Resource) -> Answer:
    """Needs a proof signed with a key that is there, so it never adds the first one."""
    body = _parameters(call, {"keycredential", "passwordcredential", "proof"})
    if not isinstance(body.get("keycredential"), dict):
        raise errors.missing_value("keyCredential", "KeyCredential")
    wanted = schema.check_body("keyCredential", body["keycredential"], "KeyCredential")
    with call.store.transaction():
        doc = _owned(call, resource)
        _check_proof(call, doc, body.get("proof"))
        made = check_keys(call, doc, [wanted])[0]
        kept = [*doc.get("keyCredentials", []), made]
        call.store.update(resource.entity, doc["id"], {"keyCredentials": kept}, call.tenant)
    return Answer(200, {"@odata.context": context(call.base, "microsoft.graph.keyCredential", ()), **made, "key": None})


def remove_key(call: Call, resource: Resource) -> Answer:
    """204"""
    body = _parameters(call, {"keyid", "proof"})
    key_id = _key_id(body)
    with call.store.transaction():
        doc = _owned(call, resource)
        _check_proof(call, doc, body.get("proof"))
        kept = [one for one in doc.get("keyCredentials", []) if one["keyId"] != key_id]
        if len(kept) == len(doc.get("keyCredentials", [])):
            raise errors.bad_request("No credentials found to be removed.", target="keyId")
        call.store.update(resource.entity, doc["id"], {"keyCredentials": kept}, call.tenant)
    return Answer(204)


def new_password(call: Call, doc: Document, wanted: Document) -> Document:
    """A passwordCredential with its ``secretText``; the hash is kept for the token endpoint."""
    for name in ("secretText", "hint", "keyId"):
        if wanted.get(name):
            raise errors.read_only(name)
    start = wanted.get("startDateTime") or schema.timestamp(call.now)
    begin = datetime.fromisoformat(start)
    end = wanted.get("endDateTime") or begin.replace(
        year=begin.year + _YEARS, day=min(begin.day, 28) if begin.month == 2 else begin.day
    ).strftime("%Y-%m-%dT%H:%M:%SZ")
    if datetime.fromisoformat(end) <= begin:
        raise errors.bad_request("The credential's end date must be after its start date.", target="endDateTime")
    app_management.check_credential(call, doc, "passwordCredentials", begin, datetime.fromisoformat(end))
    personal = "Personal" in str(doc.get("signInAudience") or "")
    if personal and len(doc.get("passwordCredentials", [])) >= _MOST_FOR_PERSONAL:
        raise errors.bad_request("The limit of password credentials for this application has been reached.")
    text = _secret_text()
    key_id = str(uuid.uuid4())
    credentials.keep_secret(call.store, key_id, text, usable_from=call.steady + call.delays.get("secret", 0.0))
    return {
        "customKeyIdentifier": wanted.get("customKeyIdentifier"),
        "displayName": wanted.get("displayName"),
        "endDateTime": end,
        "hint": text[:3],
        "keyId": key_id,
        "secretText": text,
        "startDateTime": start,
    }


def check_keys(call: Call, doc: Document, keys: list[Document]) -> list[Document]:
    """Certificates as they are kept: thumbprint and dates filled in; 400 if one is no X.509 certificate."""
    from cryptography import x509

    made = []
    for key in keys:
        if not key.get("key"):
            made.append(key)
            continue
        raw = base64.b64decode(key["key"].replace("-", "+").replace("_", "/") + "=" * (-len(key["key"]) % 4))
        try:
            text = raw if raw.startswith(b"-----") else None
            certificate = x509.load_pem_x509_certificate(text) if text else x509.load_der_x509_certificate(raw)
        except ValueError:
            raise errors.bad_request("Key credential is not a valid certificate.", target="key") from None
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        app_management.check_credential(call, doc, "keyCredentials", begin, end)
        made.append(_kept_key(key, certificate))
    return made


def _kept_key(key: Document, certificate: Any) -> Document:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    der = certificate.public_bytes(Encoding.DER)
    thumbprint = certificate.fingerprint(hashes.SHA1()).hex().upper()
    return {
        "customKeyIdentifier": key.get("customKeyIdentifier") or base64.b64encode(bytes.fromhex(thumbprint)).decode(),
        "displayName": key.get("displayName") or certificate.subject.rfc4514_string(),
        "endDateTime": key.get("endDateTime") or certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "key": base64.b64encode(der).decode(),
        "keyId": key.get("keyId") or str(uuid.uuid4()),
        "startDateTime": key.get("startDateTime") or certificate.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "type": key.get("type") or "AsymmetricX509Cert",
        "usage": key.get("usage") or "Verify",
    }


def _check_proof(call: Call, doc: Document, proof: Any) -> None:
    """A JWT signed with a key of the application: learn.microsoft.com/graph/application-rollkey-prooftoken"""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import RSAKey

    refused = errors.GraphFault(401, "Authentication_MissingOrMalformed", "Access Token missing or malformed.")
    if not isinstance(proof, str) or not proof:
        raise refused
    for one in doc.get("keyCredentials", []):
        certificate = x509.load_der_x509_certificate(base64.b64decode(one["key"]))
        public = certificate.public_key()
        if not isinstance(public, rsa.RSAPublicKey):
            continue
        key = RSAKey.import_key(public)
        try:
            claims = jwt.decode(proof, key, algorithms=["RS256"]).claims
        except (JoseError, ValueError):
            continue
        if claims.get("iss") in (doc["id"], doc.get("appId")) and float(claims.get("exp") or 0) > call.now:
            return
    raise refused


def _owned(call: Call, resource: Resource) -> Document:
    row = objects.find(call, resource, call.keys[0])
    access.require_owner(call, resource.entity, row.id)
    return row.doc


def _parameters(call: Call, known: set[str]) -> dict[str, Any]:
    body = {key.lower(): value for key, value in (call.json() if call.body.strip() else {}).items() if "@" not in key}
    if unknown := set(body) - known:
        raise errors.bad_gateway_request(f"The parameter '{sorted(unknown)[0]}' in the request payload is not valid.")
    if not isinstance(body.get("passwordcredential") or {}, dict):
        raise errors.bad_json()
    return body


def _key_id(body: dict[str, Any]) -> str:
    try:
        return str(uuid.UUID(str(body.get("keyid"))))
    except ValueError:
        raise errors.bad_request("No password credential found with keyId.", target="keyId") from None


def _secret_text() -> str:
    head = secrets.choice(string.ascii_letters + string.digits)
    middle = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(2))
    return f"{head}{middle}8Q~" + "".join(secrets.choice(_ALPHABET) for _ in range(34))


ROUTES = (
    Route("POST", "{}/addPassword", add_password),
    Route("POST", "{}/removePassword", remove_password),
    Route("POST", "{}/addKey", add_key),
    Route("POST", "{}/removeKey", remove_key),
)
