"""StackOne's API as documented at docs.stackone.com: connector profiles, connect sessions, accounts, actions."""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from runbook.catalog.guide import CONNECTOR_KEY
from runbook.catalog.request import Given
from runbook.clients import retry
from runbook.clients.answers import told
from runbook.clients.bounded import Pages
from runbook.clients.calls import ApiKey, CallLog
from runbook.clients.http import Answer, Client, Effect
from runbook.clients.target import Target
from runbook.errors import InputError, Problem, StackOneError, TransportError

JSON = dict[str, Any]
_DEFAULT_PAGE, _LARGE_PAGE = 25, 100  # the first is documented; where the second is refused, it does


class StackOneClient(Client):
    """Calls to one StackOne project (the API key's). Safe to use from several threads.

    Raises :class:`InputError` at the first call when the target has no API key.
    """

    def __init__(self, target: Target, journal: CallLog | None = None) -> None:
        key = target.stackone_api_key
        self._has_key = key is not None
        self._names: dict[str, list[str]] = {}
        self._learning = threading.Lock()
        super().__init__(target, target.endpoints.stackone, "stackone", ApiKey(key) if key else None, journal)

    def connector_profiles(self, *, connector_key: str | None = None) -> Iterator[JSON]:
        """The project's connector profiles, page by page: ``GET /connector_profiles``, before it ``/auth_configs``."""
        asked = {"connector_key": connector_key}
        try:
            yield from self._numbered_pages("/connector_profiles", asked)
        except StackOneError as error:
            if error.status != 404:
                raise
            yield from self._numbered_pages("/auth_configs", asked)

    def connect_session(
        self,
        *,
        owner_id: str,
        owner_name: str,
        provider: str,
        expires_in: int,
        connector_profile_id: str | None = None,
        account_id: str | None = None,
        username: str | None = None,
    ) -> JSON:
        """A session in which a person links an account (``POST /connect_sessions``); ``auth_link_url`` is their link.

        It is open for ``expires_in`` s. The same owner id, owner name and provider opens the existing account again.
        The answer's ``token`` opens the session too: do not show or keep it.
        """
        body: JSON = {"origin_owner_id": owner_id, "origin_owner_name": owner_name, "origin_username": username}
        body |= {"provider": provider, "connector_profile_id": connector_profile_id, "account_id": account_id}
        body |= {"expires_in": expires_in, "type": "PRODUCTION"}
        return self._send("POST", "/connect_sessions", json=_present(body)).object("POST /connect_sessions")

    def session_of(self, token: str) -> JSON | None:
        """The open session of a token, with its ``latest_connection_attempt``; None if it is not open any more."""
        path = "/connect_sessions/authenticate"
        answer = self.session.request("POST", path, json={"token": token}, effect="read")
        return answer.object(f"POST {path}") if answer.ok else None

    def accounts(self, *, provider: str | None = None, owner_id: str | None = None) -> Iterator[JSON]:
        """Linked accounts (``GET /accounts``); a plain list and an object with ``data`` are both understood.

        ``provider=`` is deprecated for ``providers=``; whoever does not know that filter lists other providers' too.
        """
        found = self._numbered_pages("/accounts", {"providers": provider, "origin_owner_id": owner_id})
        return (item for item in found if provider in (None, item.get("provider", provider)))

    def account(self, account_id: str) -> JSON:
        """One linked account."""
        return self._send("GET", f"/accounts/{quote(account_id, safe='')}").object("GET /accounts/{id}")

    def delete_account(self, account_id: str) -> None:
        """Unlink an account (``DELETE /accounts/{id}``), once."""
        self._send("DELETE", f"/accounts/{quote(account_id, safe='')}")

    def call_action(
        self, action: str, account_id: str, *, effect: Effect, path: Given = None, query: Given = None, body: Any = None
    ) -> JSON:
        """Run one action through a linked account (``POST /actions/rpc``): ``{"data": …, "next": …}``.

        ``effect="read"`` for an action that only reads: it may then be repeated after a failure.
        """
        path = self._in_its_words(action, account_id, path) if path else None
        content = _present({"action": action, "path": path, "query": query, "body": body})
        headers, note = {"x-account-id": account_id}, {"action": action, "account_id": account_id}
        answer = self._send("POST", "/actions/rpc", json=content, headers=headers, effect=effect, note=note)
        return answer.object(f"POST /actions/rpc {action}")

    def _in_its_words(self, action: str, account_id: str, path: Mapping[str, Any]) -> JSON:
        """The path parameters under the names that the action's own metadata has for them; as they are without any."""
        with self._learning:  # whoever asks meanwhile learns from the same answer
            if action not in self._names:
                self._learn(action, account_id)
        theirs = {_plain(name): name for name in self._names[action]}
        if len(theirs) == len(path) and not all(_plain(name) in theirs for name in path):
            return dict(zip(theirs.values(), path.values(), strict=True))  # other words for the same, in the same order
        return {theirs.get(_plain(name), name): value for name, value in path.items()}

    def _learn(self, action: str, account_id: str) -> None:
        """The names of path parameters, in the order of the path (``GET /actions``): none where metadata does not tell.

        Of all actions of the account at once; of ``action`` by itself where it is not among them.
        """
        of_account = {"filter[connectors]": CONNECTOR_KEY, "filter[account_ids]": account_id}
        for wanted in (of_account, {"filter[action_key]": action}):
            for include in ("action_details", "operation_details"):  # the newer name first
                try:
                    body = self._send("GET", "/actions", params={**wanted, "include": include}).body
                except StackOneError as error:
                    if error.status not in (400, 404, 422):
                        raise
                    continue
                with suppress(KeyError, TypeError, AttributeError):
                    for one in (one for entry in body["data"] for one in entry["actions"] if one.get(include)):
                        told = one[include]["input_schema"]["properties"].get("path", {})
                        self._names[one["id"]] = list(told.get("properties", ()))
                if action in self._names:
                    return
        self._names[action] = []

    def proxied(self, account_id: str, path: str) -> JSON:
        """What the service behind a linked account answers to GET ``path`` (``POST /unified/proxy``)."""
        headers, body = {"x-account-id": account_id}, {"method": "get", "path": path}
        answer = self._send("POST", "/unified/proxy", json=body, headers=headers, effect="read")
        return answer.object("POST /unified/proxy")

    def _numbered_pages(self, path: str, filters: Mapping[str, Any]) -> Iterator[JSON]:
        number, seen, size, pages = 1, 0, _LARGE_PAGE, Pages(f"GET {path}")
        while True:
            asked = _present({**filters, "page": number, "page_size": size})
            try:
                body = self._send("GET", path, params={name: str(value) for name, value in asked.items()}).body
            except StackOneError as error:
                if error.status not in (400, 422) or (number, size) != (1, _LARGE_PAGE):
                    raise
                size = _DEFAULT_PAGE
                continue
            items = _items(body, f"GET {path}")
            pages.turn(json.dumps(items))  # pages have no name; one that comes twice is the same one
            yield from items
            seen += len(items)
            total = body.get("total") if isinstance(body, dict) else None
            # One without a total ends with the first page that no service would have cut so short.
            if not items or (seen >= total if isinstance(total, int) else len(items) < _DEFAULT_PAGE):
                return
            number += 1

    def _send(self, method: str, path: str, **options: Any) -> Answer:
        if not self._has_key:
            raise InputError(Problem("stackone_api_key_ref", "is needed here: it names the StackOne API key."))
        answer = self.session.request(method, path, **options)
        if not answer.ok:
            error = _error(answer, method, path)
            error.ticket = answer.ticket
            raise error
        return answer


def _error(answer: Answer, method: str, path: str) -> StackOneError:
    """StackOne's error body ``{statusCode, message, timestamp, …}``, with the provider's own error inside, as ours."""
    body = answer.body if isinstance(answer.body, dict) else {}
    message = body.get("message")
    text = "; ".join(map(str, message)) if isinstance(message, list) else str(message or "no reason given")
    provider = body.get("provider_errors") or body.get("providerErrors") or []
    inner = provider[0] if isinstance(provider, list) and provider and isinstance(provider[0], dict) else {}
    behind = f" The service behind it answered {inner.get('status')}." if inner.get("status") else ""
    failure = StackOneError(
        f"StackOne refused {method} {path} with {answer.status} ({text.rstrip('.')}).{behind}",
        status=answer.status,
        method=method,
        path=path,
        message=text,
        retry_after=retry.retry_after(answer.headers),
        code=str(body.get("error") or body.get("code") or answer.status),
        request_id=answer.request_id,
    )
    return told(failure)


def _items(body: Any, call: str) -> list[JSON]:
    items = body.get("data") if isinstance(body, dict) else body
    if not isinstance(items, list):
        raise TransportError(f"{call} answered something that is not a list.")
    return items


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


def _present(values: Mapping[str, Any]) -> JSON:
    return {name: value for name, value in values.items() if value is not None}
