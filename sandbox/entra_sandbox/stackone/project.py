"""The StackOne project that the sandbox plays: its API key, its dashboard user, and what its parts share."""

from __future__ import annotations

import hmac
import json
import math
import secrets
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx

from entra_sandbox.services import Services
from entra_sandbox.stackone.connector import connector
from entra_sandbox.store import Document, Store
from entra_sandbox.vault import Vault

__all__ = ["ORGANIZATION_ID", "PROJECT_ID", "Project", "api_key", "dashboard_entry", "dashboard_user", "seed"]

ORGANIZATION_ID = 1001
PROJECT_ID = "project-sandbox"
DASHBOARD_USER = "owner@stackone.example"
REQUESTS_A_MINUTE = 1000
"""docs.stackone.com/guides/rate-limiting: a thousand requests a minute for each API key."""

_SETTING = "stackone.project"


def seed(store: Store, vault: Vault) -> None:
    """Make the project's API key and dashboard user unless they are there. No profile, no account."""
    with store.transaction():
        if store.setting(_SETTING) is None:
            key = f"v1.eu1.{secrets.token_urlsafe(36)}"
            password = secrets.token_urlsafe(18)
            store.set_setting(_SETTING, {"api_key": vault.seal(key), "password": vault.seal(password)})


def api_key(store: Store, vault: Vault) -> str:
    """The project's API key; KeyError before :func:`seed`."""
    return vault.open_(_kept(store)["api_key"])


def dashboard_user(store: Store, vault: Vault) -> tuple[str, str]:
    """(email, password) of the person who may use the dashboard; KeyError before :func:`seed`."""
    return DASHBOARD_USER, vault.open_(_kept(store)["password"])


def dashboard_entry(services: Services) -> dict[str, str]:
    """What the ready line says of the dashboard: ``url``, ``user``, ``password``."""
    user, password = dashboard_user(services.store, services.vault)
    return {"url": f"{services.addresses.pages}/dashboard", "user": user, "password": password}


class Project:
    """One per server. Everything that outlives a request is in the store; here are locks, the clock and the client."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.store = services.store
        self.vault = services.vault
        self.requests = RateLimit()
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._client: httpx.Client | None = None

    def pages(self, host: str) -> str:
        """Base address of the pages for whoever asked for ``host``: plain http on loopback, unless by the proxy."""
        known = connector()
        return f"https://{known.real_host}" if host.lower() == known.real_host else self.services.addresses.pages

    def authority(self, pages: str) -> str:
        """Base address of Entra ID's pages for a browser that sees StackOne's pages at ``pages``."""
        own = self.services.addresses.pages
        return own if pages == own else connector().real_authority

    @property
    def older(self) -> bool:
        """Whether the project is as it was published before: ``/auth_configs`` and ``provider=`` alone."""
        return bool(self.store.setting("stackone.older", False))

    @property
    def renamed(self) -> Mapping[str, str]:
        """Path parameters that the metadata of actions calls by another name, which alone is taken then."""
        names: Mapping[str, str] = self.store.setting("stackone.renamed", {})
        return names

    @property
    def api(self) -> str:
        """Base address of Entra ID and Microsoft Graph as StackOne's own servers reach them: https, CA verified."""
        return self.services.addresses.api

    @property
    def client(self) -> httpx.Client:
        """For StackOne's own calls. It ignores proxies and CA variables of the environment: they are not its own."""
        with self._guard:
            if self._client is None:
                context = ssl.create_default_context(cafile=str(self.services.ca_file))
                self._client = httpx.Client(verify=context, trust_env=False, timeout=30, follow_redirects=False)
            return self._client

    def is_key(self, candidate: str) -> bool:
        """Whether ``candidate`` is the project's API key; compared in constant time."""
        return hmac.compare_digest(candidate.encode(), api_key(self.store, self.vault).encode())

    @contextmanager
    def alone_with(self, account_id: str) -> Iterator[None]:
        """One caller at a time for one account: a refresh token that rotates must not be spent twice."""
        with self._guard:
            lock = self._locks.setdefault(account_id, threading.Lock())
        with lock:
            yield

    def now(self) -> float:
        """Seconds since the epoch, by the sandbox's clock."""
        return self.store.now()

    def timestamp(self) -> str:
        """Now, as StackOne writes it."""
        return iso(self.now())

    def seal(self, value: dict[str, Any]) -> str:
        """A JSON object that only this sandbox can read again."""
        return self.vault.seal(json.dumps(value))

    def unseal(self, sealed: str) -> dict[str, Any]:
        """What :meth:`seal` was given; :class:`~entra_sandbox.vault.SealBroken` if it is not from here."""
        value: dict[str, Any] = json.loads(self.vault.open_(sealed))
        return value


class RateLimit:
    """Requests of one API key in the last sixty seconds."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()
        self._guard = threading.Lock()

    def wait(self, allowed: int) -> int | None:
        """Count one request; the seconds to wait if it is one too many."""
        with self._guard:
            now = time.monotonic()
            while self._times and now - self._times[0] >= 60:
                self._times.popleft()
            if len(self._times) < allowed:
                self._times.append(now)
                return None
            oldest = self._times[0] if self._times else now
            return max(1, math.ceil(60 - (now - oldest)))


def iso(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds, as StackOne's published clients parse it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _kept(store: Store) -> Document:
    kept: Document | None = store.setting(_SETTING)
    if kept is None:
        raise KeyError("the StackOne project is not seeded")
    return kept
