"""msal's HTTP client on our transport (the two methods that msal documents: ``get`` and ``post``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from runbook.clients import retry
from runbook.clients.answers import told
from runbook.clients.calls import CallLog
from runbook.clients.http import Session
from runbook.errors import TransportError

if TYPE_CHECKING:
    from runbook.clients.target import Target

# Redeeming these a second time is refused, so a lost answer must not be asked for again by itself.
_ONCE = ("authorization_code", "refresh_token")


@dataclass(frozen=True)
class _Response:
    status_code: int
    text: str
    headers: Mapping[str, str]

    def raise_for_status(self) -> None:
        """msal wants it; what it would raise for is raised before msal sees it."""


class MsalHttp:
    """``http_client=`` for msal. A token request changes nothing in the tenant, so it counts as a read."""

    def __init__(self, target: Target, journal: CallLog | None = None) -> None:
        self._discovery: dict[str, _Response] = target.discovery
        self.session = Session(
            target.endpoints.authority,
            "entra",
            pace=retry.pace(rehearsal=target.rehearsal),
            ca_file=target.endpoints.ca_file,
            journal=journal,
            pinned=False,  # the discovery document may name a sister host of the same cloud
        )

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def get(self, url: str, params: Mapping[str, str] | None = None, headers: Any = None, **_: Any) -> _Response:
        """GET for msal, which asks for nothing but the discovery document, with each new application object."""
        if url not in self._discovery:
            answer = self._send("GET", url, params, headers, None)
            if answer.status_code != 200:
                return answer
            self._discovery[url] = answer
        return self._discovery[url]

    def post(
        self, url: str, params: Mapping[str, str] | None = None, data: Any = None, headers: Any = None, **_: Any
    ) -> _Response:
        """POST of a form for msal."""
        return self._send("POST", url, params, headers, data)

    def _send(self, method: str, url: str, params: Any, headers: Any, form: Any) -> _Response:
        if not url.startswith("https://"):
            raise TransportError("Entra ID's discovery names an address without TLS; it was not used.")
        grant = form.get("grant_type", "") if isinstance(form, Mapping) else ""
        answer = self.session.request(
            method,
            url if not params else f"{url}?{urlencode(params)}",
            form=None if form is None else {name: str(value) for name, value in form.items()},
            headers={name: str(value) for name, value in (headers or {}).items()},
            effect="read",
            repeatable=grant not in _ONCE,
            note={"grant_type": grant} if grant else None,
        )
        readable = isinstance(answer.body, dict)
        # msal would raise its own error for the first, and log the second whole.
        if answer.status >= 500 or (not readable and (method == "POST" or not answer.ok)):
            failure = TransportError(
                f"Entra ID answered {answer.status} without a result.", request_id=answer.request_id
            )
            raise told(
                failure, **{"broken": "unanswered"} if answer.ok else {"service": "entra", "status": answer.status}
            )
        return _Response(answer.status, answer.text, dict(answer.headers))
