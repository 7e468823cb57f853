"""A person who signs in, by a browser or a code; their session is kept as :mod:`runbook.clients.token_cache` can."""

from collections.abc import Mapping
from typing import Any, NoReturn

from runbook.clients.msal_apps import MsalHttp, OnCode, device_flow, guarded, public
from runbook.clients.target import Target
from runbook.clients.token_cache import token_cache
from runbook.errors import InputError, Problem, SignInError

_SECONDS = 300


def _no_browser(_address: str) -> NoReturn:
    raise SignInError("There is no browser here.", next_step="use sign_in: device-code; then any browser will do.")


class Person:
    """Whoever signed in last, for as long as this object lives; nobody yet means that somebody is asked to."""

    def __init__(self, target: Target, http: MsalHttp, how: str, on_code: OnCode | None) -> None:
        self._how, self._on_code = how, on_code
        self._scopes = [f"{target.endpoints.graph}/.default"]
        cache = token_cache(target)
        self.kept = cache is not None
        self._app = public(target, http, token_cache=cache)
        self._account: dict[str, Any] | None = next(iter(self._accounts()), None)

    def names(self) -> list[str]:
        """The user names of those who are signed in, the latest first."""
        return [str(account["username"]) for account in self._accounts()]

    def obtain(self, claims: str | None, fresh: bool) -> Mapping[str, Any]:
        """Msal's answer: from the session where there is one, else after a sign-in."""
        if self._account is not None and (found := self._silent(claims, fresh)):
            return found
        return self.sign_in(str((self._account or {}).get("username", "")), claims)

    def choose(self, name: str) -> Mapping[str, Any]:
        """Act as ``name``: from the session if it holds them, else after a sign-in; empty: whom they choose there."""
        matching = (account for account in self._accounts() if account["username"].casefold() == name.casefold())
        self._account = next(matching, None)
        return self.obtain(None, fresh=True) if self._account is not None else self.sign_in(name)

    def sign_in(self, name: str, claims: str | None = None) -> Mapping[str, Any]:
        """Ask a person to sign in, in a browser with ``name`` filled in or with a choice of accounts."""
        if self._how == "browser":
            # msal opens the browser and waits on a loopback port; PKCE and state are its business.
            who = {"login_hint": name} if name else {"prompt": "select_account"}
            options = {"claims_challenge": claims, "timeout": _SECONDS, "auth_uri_callback": _no_browser, **who}
            answer = guarded(lambda: dict(self._app.acquire_token_interactive(self._scopes, **options)))
        elif self._on_code is None:
            raise InputError(Problem("sign_in", "device-code needs somebody to show the code to."))
        else:
            answer = device_flow(self._app, self._scopes, self._on_code)
        self._account = next(iter(self._accounts()), None)
        return answer

    def _silent(self, claims: str | None, fresh: bool) -> Mapping[str, Any] | None:
        options = {"account": self._account, "claims_challenge": claims, "force_refresh": fresh}
        found = guarded(lambda: self._app.acquire_token_silent(self._scopes, **options))
        return found if found and "access_token" in found else None

    def _accounts(self) -> list[dict[str, Any]]:
        """Those whose refresh token is in the cache; it tells when it came."""
        cache = self._app.token_cache
        tokens = cache.search(cache.CredentialType.REFRESH_TOKEN)
        came = {each["home_account_id"]: int(each.get("last_modification_time") or 0) for each in tokens}
        known = [each for each in self._app.get_accounts() if each["home_account_id"] in came]
        return sorted(known, key=lambda each: -came[each["home_account_id"]])
