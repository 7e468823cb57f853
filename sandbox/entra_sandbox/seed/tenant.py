"""What every part of the seed needs: the data, one tenant's generator of ids, dates and choices."""

from __future__ import annotations

import json
import random
import unicodedata
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from entra_sandbox.graph import roles
from entra_sandbox.store import Document, Store

__all__ = ["EPOCH", "NAMESPACE", "Tenant", "ascii_only", "data", "moment"]

NAMESPACE = uuid.UUID("6f1c5c1e-3a53-4c1b-9d0c-2f7f0f3a8f11")
EPOCH = datetime(2021, 3, 1, 8, 0, tzinfo=UTC)


@cache
def data() -> dict[str, Any]:
    """``seed.json``; ValueError if it names a directory role that there is not."""
    read: dict[str, Any] = json.loads(files(__package__).joinpath("seed.json").read_text(encoding="utf-8"))
    known = {template["displayName"] for template in roles.templates()}
    named = {*read["activated_roles"], *(role for person in read["people"] for role in person["roles"])}
    if unknown := named - known:
        raise ValueError(f"seed.json: unknown directory roles {sorted(unknown)}")
    return read


class Tenant:
    """One tenant in the making. Every id comes from :meth:`id`, every date and choice from one random generator."""

    def __init__(
        self, store: Store, described: dict[str, Any], number: int, password: tuple[str, str] | None = None
    ) -> None:
        """``password``: plaintext and digest of the one that its people share; each gets one of their own without."""
        self.store = store
        self.described = described
        self.name: str = described["name"]
        self.domain: str = described["default"]
        self.tenant_id = str(uuid.uuid5(NAMESPACE, f"tenant/{self.name}"))
        self.random = random.Random(f"{number}/{self.name}")
        self.users: list[Document] = []
        self.password = password
        self.passwords: dict[str, str] = {}
        self.user_roles: dict[str, list[str]] = {}

    def id(self, kind: str, name: str) -> str:
        """The object id of a seeded object."""
        return str(uuid.uuid5(uuid.UUID(self.tenant_id), f"{kind}/{name}"))

    def put(self, kind: str, docs: Iterable[Document]) -> None:
        """Keep documents of this tenant."""
        self.store.put_many(kind, docs, self.tenant_id)

    def date(self, days: int = 1800) -> str:
        """A moment within ``days`` after the tenant was made."""
        seconds = self.random.randrange(days * 86400)
        return moment(EPOCH.timestamp() + seconds)


def moment(seconds: float) -> str:
    """Seconds since the epoch as Graph writes them."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ascii_only(text: str) -> str:
    """The text without accents, for names in addresses."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
