"""Signing in to Entra ID with msal, the real library, over our own transport.

msal takes any HTTP client, so its requests go through :class:`runbook.clients.http.Session` like all others: the same
CA rules (a sandbox's own CA in spite of REQUESTS_CA_BUNDLE, a real tenant by it), timeouts, retries and journal.
msal caches an HTTP 400 of the token endpoint for 60 s per application object; every proof therefore gets a fresh one.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import functools
import json
import os
import re
import threading
import time
from collections.abc import Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, get_args

from runbook import run_socket
from runbook.clients.ambient import Source, azure_identity, managed_identity
from runbook.clients.answers import aadsts_code, looks_like_secret_id, told
from runbook.clients.calls import CallLog
from runbook.clients.msal_apps import (
    ANSWERS_CHALLENGES,
    CREDENTIALS,
    MsalHttp,
    OnCode,
    confidential,
    device_flow,
    guarded,
    public,
)
from runbook.clients.target import Target
from runbook.errors import InputError, Problem, SignInError
from runbook.parameters import Parameters, Personal
from runbook.secrets import Secret

if TYPE_CHECKING:
    from runbook.clients.person import Person

_OFFLINE_ACCESS = "offline_access"
_REMEMBERED = 30.0  # seconds for which a kernel of a run works with the token that the run gave it
_AMBIENT = {"managed-identity": managed_identity, "azure-identity": azure_identity}


@dataclass(frozen=True)
class TokenResult:
    """A fresh access token with what it says about itself.

    The claims are for diagnosis only: Microsoft calls Graph's tokens opaque to clients. ``roles`` are application
    permissions, ``scopes`` delegated ones; a token has one or the other. ``expires`` is in UTC. ``refreshable``: a
    refresh token came with it, which is what ``offline_access`` grants; the access token itself never names it.
    """

    token: Secret
    expires: datetime.datetime
    claims: Mapping[str, Any] = field(default_factory=dict)
    refreshable: bool = False

    @property
    def roles(self) -> tuple[str, ...]:
        """The application permissions in the token, sorted."""
        return tuple(sorted(map(str, self.claims.get("roles") or ())))

    @property
    def scopes(self) -> tuple[str, ...]:
        """The delegated permissions in the token, sorted, with ``offline_access`` where a refresh token proves it."""
        named = str(self.claims.get("scp") or "").split()
        return tuple(sorted({*named, _OFFLINE_ACCESS} if self.refreshable else named))

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> TokenResult:
        """From msal's answer (RFC 6749 section 5.1)."""
        lifetime = datetime.timedelta(seconds=int(answer.get("expires_in") or 0))
        text = str(answer["access_token"])
        expires = datetime.datetime.now(datetime.UTC) + lifetime
        return cls(Secret(text), expires, _decode_claims(text), refreshable=bool(answer.get("refresh_token")))


@dataclass(frozen=True)
class Identity:
    """Who is signed in: a person (``kind`` "user", with directory role template ids) or an application ("app")."""

    kind: str
    name: str
    object_id: str
    tenant_id: str
    permissions: tuple[str, ...]
    role_ids: tuple[str, ...]
    client_id: str = ""


class Administrator:
    """The sign-in that does the work. A token source for :class:`runbook.clients.graph.GraphClient`.

    ``sign_in`` of the parameters chooses: ``client-secret``, ``certificate`` or ``federated`` (the
    administrator's application by itself), ``managed-identity`` or ``azure-identity`` (what the machine brings along),
    ``browser`` or ``device-code`` (a person; ``on_code`` shows them the code). One source for its life, whose cache
    keeps the token until shortly before it expires. In a kernel of a run the run is asked, which has
    signed in already; ``like`` is asked, where another of this process has.
    """

    def __init__(
        self,
        target: Target,
        params: Parameters,
        journal: CallLog | None = None,
        *,
        on_code: OnCode | None = None,
        like: Administrator | None = None,
    ) -> None:
        self._target = target
        self._like = like
        self._how = params.sign_in
        self.http = MsalHttp(target, journal)
        self._on_code = on_code
        self._lock = threading.Lock()
        self._source: Source | None = None
        self._told: Mapping[str, Any] = {}
        self._asks_again = 0.0

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def discovery(self, url: str) -> Mapping[str, Any]:
        """The document at ``url`` as it was answered when this sign-in was prepared; empty if it was not asked for."""
        return vars(self._target.discovery[url]) if url in self._target.discovery else {}

    def record(self, journal: CallLog) -> None:
        """Keep further calls in ``journal``."""
        self.http.session.journal = journal

    def token(self) -> Secret:
        """A token that is good now, from msal's cache when it can. Raises :class:`SignInError`."""
        return TokenResult.of(self.obtain()).token

    def renew(self, claims: str | None) -> Secret | None:
        """A new token, not from the cache, that answers the ``claims`` challenge if there is one."""
        return TokenResult.of(self.obtain(claims, fresh=True)).token

    def identity(self) -> Identity:
        """Who is signed in, as the token says."""
        result = TokenResult.of(self.obtain())
        claims = result.claims
        kind = "app" if claims.get("idtyp") == "app" or not result.scopes else "user"
        names = ("app_displayname", "appid") if kind == "app" else ("upn", "preferred_username", "name", "oid")
        return Identity(
            kind=kind,
            name=next((str(claims[name]) for name in names if claims.get(name)), "unknown"),
            object_id=str(claims.get("oid", "")),
            tenant_id=str(claims.get("tid", self._target.tenant_id)),
            permissions=result.roles or result.scopes,
            role_ids=tuple(map(str, claims.get("wids") or ())),
            client_id=str(claims.get("appid", self._target.client_id)),
        )

    def obtain(self, claims: str | None = None, fresh: bool = False) -> Mapping[str, Any]:
        """A token with its lifetime, as RFC 6749 section 5.1 has it; of a refresh token whether there is one."""
        if run_socket.VARIABLE in os.environ:
            if claims or fresh or time.monotonic() > self._asks_again:
                self._told = run_socket.ask("token", claims=claims, fresh=fresh)
                self._asks_again = time.monotonic() + min(_REMEMBERED, self._told["expires_in"] / 10)
            return self._told
        if self._like is not None:
            return self._like.obtain(claims, fresh)
        with self._lock:
            if self.by_person:
                return self._checked(self.person.obtain(claims, fresh))
            if self._source is None or (fresh and claims is None):
                self._source = self._make()  # msal and azure-identity skip their caches only in a new object
            return self._checked(self._source(claims))

    @property
    def by_person(self) -> bool:
        """Whether a person signs in."""
        return self._how in get_args(Personal)

    @functools.cached_property
    def person(self) -> Person:
        """Who signs in where it is a person."""
        from runbook.clients.person import Person  # its libraries take a while to import

        return Person(self._target, self.http, self._how, self._on_code)

    def sign_in(self, name: str = "") -> None:
        """Have a person sign in and choose their account, or act as ``name``. Raises :class:`SignInError`."""
        self._checked(self.person.choose(name))

    def _checked(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        secret = self._target.client_secret if self._how in CREDENTIALS else None
        found = _granted(answer, "the administrator's sign-in", self.http, "administrator", secret)
        # What the machine brings along may be of any tenant; the others asked this tenant for their token.
        tenant = _decode_claims(str(found["access_token"])).get("tid", self._target.tenant_id)
        if self._how in _AMBIENT and tenant != self._target.tenant_id:
            raise SignInError.named("another_tenant", found=tenant, wanted=self._target.tenant_id)
        kept = {name: found[name] for name in ("access_token", "expires_in")}
        return kept | {"refresh_token": bool(found.get("refresh_token"))}

    def _make(self) -> Source:
        if self._how in _AMBIENT:
            return _AMBIENT[self._how](self._target)
        secret = self._target.client_secret
        if secret is None:
            raise InputError(Problem("client_secret_ref", "is needed to sign in with a client secret."))
        about = self._target, self.http, self._target.client_id, secret, self._how
        app = confidential(*about, client_capabilities=ANSWERS_CHALLENGES)
        return lambda claims: guarded(lambda: app.acquire_token_for_client(_scopes(self._target), claims))


def with_id(target: Target, journal: CallLog) -> Target:
    """``target`` with the id of its tenant where a domain was given: one name per tenant, in everything that is kept.

    From the discovery document (OpenID Connect Discovery 1.0). Raises :class:`SignInError` for an unknown domain.
    """
    if "." not in target.tenant_id:
        return target
    with closing(MsalHttp(target, journal)) as http:
        found = str(public(target, http).authority.token_endpoint).split("/")[3]
    return replace(target, tenant_id=found, description=target.description.replace(target.tenant_id, found))


def application_token(target: Target, client_id: str, secret: Secret, *, http: MsalHttp | None = None) -> TokenResult:
    """A token for Graph by client credentials, from Entra ID itself and never from a cache (RFC 6749 section 4.4).

    Asked over the connections of ``http``, else over one of its own. Raises :class:`SignInError` with the AADSTS code
    and its remedy, :class:`TransportError` without an answer.
    """
    with nullcontext(http) if http else closing(MsalHttp(target)) as over:
        app = confidential(target, over, client_id, secret, "client-secret")
        answer = guarded(lambda: app.acquire_token_for_client(_scopes(target)))
        return TokenResult.of(_granted(answer, f"application {client_id}", over, "connector", secret))


def delegated_token(
    target: Target, client_id: str, secret: Secret, on_code: OnCode, *, http: MsalHttp | None = None
) -> TokenResult:
    """A token for Graph on behalf of a person, by device code (RFC 8628) with the application's own secret.

    So it needs no redirect URI besides StackOne's. ``on_code`` gets a hand-over with the address and the code; it
    returns once the person was told (or has signed in), or raises to give up. Waits until the code expires. ``http``
    as for :func:`application_token`. Raises :class:`SignInError`, :class:`TransportError`.
    """
    with nullcontext(http) if http else closing(MsalHttp(target)) as over:
        app = confidential(target, over, client_id, secret, "client-secret")
        answer = device_flow(app, [*_scopes(target), _OFFLINE_ACCESS], on_code)
        return TokenResult.of(_granted(answer, f"a person through application {client_id}", over, "connector", secret))


def _decode_claims(token: str) -> dict[str, Any]:
    """The claims of a JWT, unverified; empty for a token that is not one."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _scopes(target: Target) -> list[str]:
    return [f"{target.endpoints.graph}/.default"]


def _granted(
    answer: Mapping[str, Any], subject: str, http: MsalHttp, whose: str, secret: Secret | None = None
) -> Mapping[str, Any]:
    if "access_token" not in answer:
        looks = None if secret is None else looks_like_secret_id(secret)
        offset = http.session.clock_offset
        raise _sign_in_error(
            answer, subject=subject, whose=whose, secret_looks_like_id=looks, clock_offset_seconds=offset
        )
    return answer


def _sign_in_error(answer: Mapping[str, Any], *, subject: str, **circumstances: Any) -> SignInError:
    """An error answer of the token endpoint (RFC 6749 section 5.2, with Entra's additions) as our error.

    ``subject`` says who asked for what. Entra's text is kept without its trace lines.
    """
    said = re.split(r"\s*(?:\r?\n|Trace ID:)", str(answer.get("error_description", "")), maxsplit=1)[0]
    error = str(answer.get("error", "unknown_error"))
    failure = SignInError(
        f"Entra ID gave no token for {subject}: {(said or error).rstrip('.')}.",
        code=aadsts_code(answer) or error,
        request_id=answer.get("trace_id") or answer.get("correlation_id"),
    )
    return told(failure, **circumstances)
