"""Signing in to Entra ID with msal, the real library, over our own transport.

msal takes any HTTP client, so its requests go through :class:`runbook.clients.http.Session` like all others: the same
CA rules (a sandbox's own CA in spite of REQUESTS_CA_BUNDLE, a real tenant by it), timeouts, retries and journal.
msal caches an HTTP 400 of the token endpoint for 60 s per application object; every proof therefore gets a fresh one.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runbook.clients.explain import aadsts_code, sign_in_error
from runbook.clients.http import CallLog, Counters
from runbook.clients.msal_http import MsalHttp
from runbook.errors import HandOver, InputError, Problem, RunbookError, SignInError
from runbook.secrets import Secret

if TYPE_CHECKING:
    import msal

    from runbook.parameters import Parameters
    from runbook.targets import Target

__all__ = ["Administrator", "Identity", "TokenResult", "application_token", "decode_claims", "delegated_token"]

OnCode = Callable[[HandOver], None]

# Declares that claims challenges are understood (continuous access evaluation); only where they can be answered.
_ANSWERS_CHALLENGES = ["CP1"]


@dataclass(frozen=True)
class TokenResult:
    """A fresh access token with what it says about itself.

    The claims are for diagnosis only: Microsoft calls Graph's tokens opaque to clients. ``roles`` are application
    permissions, ``scopes`` delegated ones; a token has one or the other. ``expires`` is in UTC.
    """

    token: Secret
    expires: datetime.datetime
    claims: Mapping[str, Any] = field(default_factory=dict)

    @property
    def roles(self) -> tuple[str, ...]:
        """The application permissions in the token, sorted."""
        return tuple(sorted(map(str, self.claims.get("roles") or ())))

    @property
    def scopes(self) -> tuple[str, ...]:
        """The delegated permissions in the token, sorted."""
        return tuple(sorted(str(self.claims.get("scp") or "").split()))

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> TokenResult:
        """From msal's answer (RFC 6749 section 5.1)."""
        lifetime = datetime.timedelta(seconds=int(answer.get("expires_in") or 0))
        text = str(answer["access_token"])
        return cls(Secret(text), datetime.datetime.now(datetime.UTC) + lifetime, decode_claims(text))


@dataclass(frozen=True)
class Identity:
    """Who is signed in: a person (``kind`` "user", with directory role template ids) or an application ("app")."""

    kind: str
    name: str
    object_id: str
    tenant_id: str
    permissions: tuple[str, ...]
    role_ids: tuple[str, ...]


class Administrator:
    """The sign-in that does the work. A token source for :class:`runbook.clients.graph.GraphClient`.

    ``sign_in`` of the parameters chooses: ``client-secret`` (the administrator's application by itself), ``browser``
    or ``device-code`` (a person; ``on_code`` shows them the code). One msal application for its life, whose cache
    keeps the token until shortly before it expires.
    """

    def __init__(
        self,
        target: Target,
        params: Parameters,
        journal: CallLog | None = None,
        *,
        counters: Counters | None = None,
        on_code: OnCode | None = None,
    ) -> None:
        self._target = target
        self._how = params.sign_in
        self._http = MsalHttp(target, journal, counters)
        self._on_code = on_code
        self._lock = threading.Lock()
        self._app: Any = None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def token(self) -> Secret:
        """A token that is good now, from msal's cache when it can. Raises :class:`SignInError`."""
        with self._lock:
            return self._obtain().token

    def renew(self, claims: str | None) -> Secret | None:
        """A new token, not from the cache, that answers the ``claims`` challenge if there is one."""
        with self._lock:
            if claims is None and self._how == "client-secret":
                self._app = None  # msal skips its cache for an application only in a new object
            return self._obtain(claims, fresh=True).token

    def identity(self) -> Identity:
        """Who is signed in, as the token says."""
        with self._lock:
            result = self._obtain()
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
        )

    def _obtain(self, claims: str | None = None, *, fresh: bool = False) -> TokenResult:
        scopes = [f"{self._target.endpoints.graph}/.default"]
        if self._how == "client-secret":
            answer = self._guarded(lambda app: app.acquire_token_for_client(scopes, claims_challenge=claims))
        else:
            answer = self._guarded(lambda app: self._as_person(app, scopes, claims, fresh))
        return _result(answer, "the administrator's sign-in")

    def _guarded(self, ask: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        def work() -> dict[str, Any]:
            if self._app is None:
                self._app = self._make()
            return ask(self._app)

        return _guarded(work, self._target)

    def _make(self) -> Any:
        if self._how == "client-secret":
            secret = self._target.client_secret
            if secret is None:
                raise InputError(Problem("client_secret_ref", "is needed to sign in with a client secret."))
            return _confidential(self._target, self._http, self._target.client_id, secret, _ANSWERS_CHALLENGES)
        import msal

        return msal.PublicClientApplication(
            self._target.client_id,
            authority=_authority(self._target),
            instance_discovery=False,
            http_client=self._http,
            client_capabilities=_ANSWERS_CHALLENGES,
            token_cache=_token_cache(),
        )

    def _as_person(self, app: Any, scopes: list[str], claims: str | None, fresh: bool) -> dict[str, Any]:
        for account in app.get_accounts():
            found = app.acquire_token_silent(scopes, account=account, claims_challenge=claims, force_refresh=fresh)
            if found and "access_token" in found:
                return dict(found)
        if self._how == "browser":
            # msal opens the browser and waits on a loopback port; PKCE and state are its business.
            return dict(app.acquire_token_interactive(scopes, claims_challenge=claims, timeout=300))
        if self._on_code is None:
            raise InputError(Problem("sign_in", "device-code needs somebody to show the code to."))
        return _device_code(app.client, scopes, self._on_code)


def application_token(
    target: Target, client_id: str, secret: Secret, *, journal: CallLog | None = None, counters: Counters | None = None
) -> TokenResult:
    """A token for Graph by client credentials, from Entra ID itself and never from a cache (RFC 6749 section 4.4).

    Raises :class:`SignInError` with the AADSTS code and its remedy, :class:`TransportError` without an answer.
    """
    http = MsalHttp(target, journal, counters)
    try:
        scopes = [f"{target.endpoints.graph}/.default"]
        answer = _guarded(
            lambda: _confidential(target, http, client_id, secret).acquire_token_for_client(scopes), target
        )
    finally:
        http.close()
    return _result(answer, f"application {client_id}")


def delegated_token(
    target: Target,
    client_id: str,
    secret: Secret,
    on_code: OnCode,
    *,
    journal: CallLog | None = None,
    counters: Counters | None = None,
) -> TokenResult:
    """A token for Graph on behalf of a person, by device code (RFC 8628) with the application's own secret.

    So it needs no redirect URI besides StackOne's. ``on_code`` gets a hand-over with the address and the code; it
    returns once the person was told (or has signed in), or raises to give up. Waits until the code expires. Raises
    :class:`SignInError`, :class:`TransportError`.
    """
    http = MsalHttp(target, journal, counters)
    try:
        scopes = [f"{target.endpoints.graph}/.default"]

        def work() -> dict[str, Any]:
            app = _confidential(target, http, client_id, secret)
            return _device_code(app.client, scopes, on_code)

        answer = _guarded(work, target)
    finally:
        http.close()
    return _result(answer, f"a person through application {client_id}")


def decode_claims(token: str) -> dict[str, Any]:
    """The claims of a JWT, unverified; empty for a token that is not one."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _authority(target: Target) -> str:
    return f"{target.endpoints.authority}/{target.tenant_id}"


def _confidential(
    target: Target, http: MsalHttp, client_id: str, secret: Secret, capabilities: list[str] | None = None
) -> msal.ConfidentialClientApplication:
    import msal

    # The authority comes from our own table or from the sandbox, so msal need not ask login.microsoftonline.com for it.
    return msal.ConfidentialClientApplication(
        client_id,
        client_credential=secret.reveal(),
        authority=_authority(target),
        instance_discovery=False,
        http_client=http,
        client_capabilities=capabilities,
    )


def _device_code(client: Any, scopes: list[str], on_code: OnCode) -> dict[str, Any]:
    """The device flow of msal's own OAuth client, with a loop of ours: msal's sleeps in whole seconds only."""
    flow = dict(client.initiate_device_flow(scope=scopes))
    if "user_code" not in flow:
        return flow
    ends = time.monotonic() + float(flow["expires_in"])
    expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=float(flow["expires_in"]))
    on_code(
        HandOver(
            kind="device_sign_in",
            title="Sign in with a code",
            url=str(flow["verification_uri"]),
            steps=(
                "Open the address.",
                "Enter the code.",
                "Sign in with the account that is to be used.",
            ),
            fields={"code": str(flow["user_code"])},
            who="the person whose account is used",
            expires_at=expires.isoformat(timespec="seconds"),
        )
    )
    pause = threading.Event()
    while True:
        answer: dict[str, Any] = client.obtain_token_by_device_flow(
            flow, exit_condition=lambda _flow: True, data={"code": flow["device_code"]}
        )
        waiting = answer.get("error") in ("authorization_pending", "slow_down")
        if not waiting or time.monotonic() >= ends:
            return answer
        pause.wait(max(1, int(flow["interval"])))


def _guarded(work: Callable[[], dict[str, Any]], target: Target) -> dict[str, Any]:
    """Run msal and turn what it raises into our errors, without its frames, which hold the secret in clear."""
    from msal.exceptions import MsalError

    failure: RunbookError
    try:
        return work()
    except RunbookError as error:
        failure = error.with_traceback(None)
    except ValueError as error:
        # msal raises ValueError when the discovery document of the authority cannot be read.
        failure = SignInError(
            f"Entra ID does not know the tenant {target.tenant_id} at {target.endpoints.authority}.",
            meaning=str(error).splitlines()[0] if str(error) else "",
            next_step="Check tenant_id and cloud.",
            code=_code_in(str(error)),
        )
    except (MsalError, RuntimeError) as error:  # msal raises RuntimeError when no browser answers in time
        failure = SignInError(
            f"The sign-in came to nothing: {type(error).__name__}.",
            next_step="Try again; with sign_in: device-code any browser will do.",
        )
    raise failure


def _code_in(text: str) -> str | None:
    number = aadsts_code({"error_description": text})
    return f"AADSTS{number}" if number else None


def _result(answer: Mapping[str, Any], subject: str) -> TokenResult:
    if "access_token" not in answer:
        raise sign_in_error(dict(answer), subject=subject)
    return TokenResult.of(answer)


def _token_cache() -> Any:
    """An encrypted cache on disk where the system offers one; else ``None``: msal then keeps tokens in memory."""
    try:
        import msal_extensions  # type: ignore[import-untyped]
        import platformdirs
    except ImportError:
        return None
    place = platformdirs.user_data_path("entra-id-runbook", appauthor=False) / "tokens.bin"
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return msal_extensions.PersistedTokenCache(msal_extensions.build_encrypted_persistence(str(place)))
    except Exception:  # noqa: BLE001 - any failure of the keychain means: do not persist
        return None
