"""msal for a target: its HTTP client on our transport, its application objects, and its failures as our errors."""

import base64
import datetime
import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import load_pem_x509_certificate

from runbook import run_socket
from runbook.clients.answers import aadsts_code, told
from runbook.clients.calls import CallLog
from runbook.clients.http import Session
from runbook.clients.target import Target
from runbook.errors import HandOver, InputError, Parked, Problem, RunbookError, SignInError, TransportError
from runbook.secrets import Secret

# Redeeming these a second time is refused, so a lost answer must not be asked for again by itself.
_ONCE = ("authorization_code", "refresh_token")


@dataclass(frozen=True)
class Response:
    """What msal reads of an answer."""

    status_code: int
    text: str
    headers: Mapping[str, str]

    def raise_for_status(self) -> None:
        """msal wants it; what it would raise for is raised before msal sees it."""


class MsalHttp:
    """``http_client=`` for msal. A token request changes nothing in the tenant, so it counts as a read."""

    def __init__(self, target: Target, journal: CallLog | None = None) -> None:
        self._target, self._journal = target, journal

    @functools.cached_property
    def session(self) -> Session:
        """The connections, opened when something is asked."""
        at, pace = self._target.endpoints, self._target.pace
        # The discovery document may name a sister host of the same cloud.
        about: dict[str, Any] = {"ca_file": at.ca_file, "journal": self._journal, "pinned": False}
        return Session(at.authority, "entra", pace=pace, **about)

    def close(self) -> None:
        """Close the connections."""
        if "session" in vars(self):
            self.session.close()

    def get(self, url: str, params: Mapping[str, str] | None = None, headers: Any = None, **_: Any) -> Response:
        """GET for msal, which asks for nothing but the discovery document, with each new application object.

        A kernel of a run has it from the run, where that has asked for it.
        """
        known: dict[str, Response] = self._target.discovery
        if url not in known and run_socket.VARIABLE in os.environ and (told := run_socket.ask("discovery", url=url)):
            known[url] = Response(**told)
        if url not in known:
            answer = self._send("GET", url, params, headers, None)
            if answer.status_code != 200:
                return answer
            known[url] = answer
        return known[url]

    def post(
        self, url: str, params: Mapping[str, str] | None = None, data: Any = None, headers: Any = None, **_: Any
    ) -> Response:
        """POST of a form for msal."""
        return self._send("POST", url, params, headers, data)

    def _send(self, method: str, url: str, params: Any, headers: Any, form: Any) -> Response:
        if not url.startswith("https://"):
            raise TransportError("Entra ID's discovery names an address without TLS; it was not used.")
        grant = form.get("grant_type", "") if isinstance(form, Mapping) else ""
        answer = self.session.request(
            method,
            url if not params else f"{url}?{urlencode(params)}",
            # Its assertions are bytes.
            form=form and {name: v.decode() if isinstance(v, bytes) else str(v) for name, v in form.items()},
            headers={name: str(value) for name, value in (headers or {}).items()},
            effect="read",
            repeatable=grant not in _ONCE,
            note={"grant_type": grant} if grant else None,
        )
        readable = isinstance(answer.body, dict)
        # msal would raise its own error for the first, and log the second whole.
        if answer.status == 408 or answer.status >= 500 or (not readable and (method == "POST" or not answer.ok)):
            what = f"Entra ID answered {answer.status} without a result."
            failure = TransportError(what, request_id=answer.request_id)
            raise told(
                failure, **{"broken": "unanswered"} if answer.ok else {"service": "entra", "status": answer.status}
            )
        return Response(answer.status, answer.text, dict(answer.headers))


T = TypeVar("T")
OnCode = Callable[[HandOver], None]

# Declares that claims challenges are understood (continuous access evaluation); only where they can be answered.
ANSWERS_CHALLENGES = ["CP1"]


def _certificate(text: str) -> dict[str, str]:
    """Key and certificate in PEM as msal takes them, also from PKCS#12 without a password in base64.

    Raises :class:`InputError` for anything else.
    """
    try:
        if "-----BEGIN" not in text:
            key, certificate, _ = pkcs12.load_key_and_certificates(base64.b64decode(text, validate=False), None)
            if key is None or certificate is None:
                raise ValueError
            text = (key.private_bytes(*_CLEAR) + certificate.public_bytes(pem.Encoding.PEM)).decode()
        pem.load_pem_private_key(text.encode(), None)
        load_pem_x509_certificate(text.encode())
    except (ValueError, TypeError):
        what = "does not name a certificate with its private key, in PEM or PKCS#12, without a password."
        raise InputError(Problem("client_secret_ref", what)) from None
    return {"private_key": text, "public_certificate": text}


_CLEAR = (pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
CREDENTIALS: Mapping[str, Callable[[str], Any]] = {
    "client-secret": str,
    "certificate": _certificate,
    "federated": lambda token: {"client_assertion": token},
}
"""How an application proves itself by the kind of its sign-in, as msal takes it; of one value from the secret store."""


def confidential(target: Target, http: MsalHttp, client_id: str, secret: Secret, how: str, **more: Any) -> Any:
    """A new ``ConfidentialClientApplication`` of the target's tenant, with nothing cached; ``more`` of its options."""
    options = {"client_credential": CREDENTIALS[how](secret.reveal()), **more}
    return _application("ConfidentialClientApplication", target, http, client_id, **options)


def public(target: Target, http: MsalHttp, **more: Any) -> Any:
    """A ``PublicClientApplication`` of the target's tenant, for people; ``more`` of its options."""
    options = {"client_capabilities": ANSWERS_CHALLENGES, **more}
    return _application("PublicClientApplication", target, http, target.client_id, **options)


def _application(kind: str, target: Target, http: MsalHttp, client_id: str, **options: Any) -> Any:
    import msal

    # The authority comes from our own table or from the sandbox, so msal need not ask login.microsoftonline.com for it.
    options |= {"authority": f"{target.endpoints.authority}/{target.tenant_id}", "instance_discovery": False}
    return guarded(lambda: getattr(msal, kind)(client_id, http_client=http, **options), unknown=target)


def guarded(work: Callable[[], T], *, unknown: Target | None = None) -> T:
    """Call msal and turn what it raises into our errors, without its frames, which hold the secret in clear.

    ``unknown`` is the target that msal looks up here: it raises ``ValueError`` when there is no discovery document.
    """
    from msal.exceptions import MsalError

    failure: RunbookError
    try:
        return work()
    except RunbookError as error:
        failure = error.with_traceback(None)
    except ValueError as error:
        if unknown is None:
            raise
        what = f"Entra ID does not know the tenant {unknown.tenant_id} at {unknown.endpoints.authority}."
        failure = told(SignInError(what, code=aadsts_code({"error_description": str(error)})))
    except (MsalError, RuntimeError) as error:  # msal raises RuntimeError when no browser answers in time
        what = f"The sign-in came to nothing: {type(error).__name__}."
        failure = SignInError(what, next_step="Try again; with sign_in: device-code any browser will do.")
    raise failure


# What the token endpoint says of a code that nobody has entered: not yet, and not any more.
_NOBODY_CAME = frozenset({"authorization_pending", "slow_down", "expired_token"})
_CODE_ENDED = frozenset({"AADSTS70019", "AADSTS70020"})


def device_flow(app: Any, scopes: list[str], on_code: OnCode) -> dict[str, Any]:
    """Sign-in by device code (RFC 8628): get a code, hand it over, wait for the person; msal's answer.

    A confidential application has no such method in msal, but its OAuth client does, and that sends the application's
    secret with each poll. For a public application msal's own methods also ask for a refresh token. Raises
    :class:`Parked` when the code expires before anybody entered it.
    """
    is_public = hasattr(app, "initiate_device_flow")
    begin = app.initiate_device_flow if is_public else app.client.initiate_device_flow
    flow: dict[str, Any] = guarded(lambda: dict(begin(scopes) if is_public else begin(scope=scopes)))
    if "user_code" not in flow:
        return flow
    Secret(flow["device_code"])  # from here on redaction knows it: msal's own log tells it
    hand_over = _hand_over(flow)
    on_code(hand_over)
    flow["interval"] = max(1, int(flow["interval"]))  # with 0 msal never looks whether the code has expired
    if is_public:
        answer = guarded(lambda: dict(app.acquire_token_by_device_flow(flow)))
    else:
        data = {"code": flow["device_code"]}
        answer = guarded(lambda: dict(app.client.obtain_token_by_device_flow(flow, data=data)))
    if answer.get("error") in _NOBODY_CAME or aadsts_code(answer) in _CODE_ENDED:
        parked = Parked(hand_over)
        parked.next_step = "run the same command again: it shows a new code."
        raise parked
    return answer


def _hand_over(flow: dict[str, Any]) -> HandOver:
    expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=float(flow["expires_in"]))
    return HandOver(
        kind="device_sign_in",
        title="Sign in with a code",
        url=str(flow["verification_uri"]),
        steps=("Open the address.", "Enter the code.", "Sign in with the account that is to be used."),
        fields={"code": str(flow["user_code"])},
        who="the person whose account is used",
        expires_at=expires.isoformat(timespec="seconds"),
    )
