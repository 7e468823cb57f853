"""Reading what the catalogue can be compared with: a saved guide page, lists of actions, tables of permissions."""

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from runbook import whole
from runbook.catalog.model import PERMISSION_TYPES, PermissionType
from runbook.errors import InputError, Problem, TransportError

Kind = Literal["guide", "actions", "permissions"]

_ATTRIBUTE = "data-guide-actions-json"
_TIMEOUT_S = 20.0
_MOST_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Listed:
    """An action as another list has it; ``None`` stands for what that list does not say."""

    slug: str
    name: str
    scopes: tuple[str, ...] | None = None
    method: str | None = None
    path: str | None = None
    alternatives: Mapping[PermissionType, tuple[tuple[str, ...], ...]] | None = None


@dataclass(frozen=True)
class Table:
    """What was read: its kind, and actions or permissions by name.

    ``facts`` holds for every permission of the table what it says of it: ``delegated_id``, ``application_id``.
    """

    kind: Kind
    actions: tuple[Listed, ...] = ()
    facts: Mapping[str, Mapping[str, Any]] | None = None


def fetch(source: str) -> str:
    """The text of a file, or of an address that begins with https:// or http://.

    Raises InputError for a file that cannot be read, TransportError when the address gives no usable answer.
    """
    if re.match(r"https?://", source, re.IGNORECASE):
        return _download(source)
    try:
        return whole.text(source, _MOST_BYTES)
    except OSError as error:
        raise InputError(Problem(source, f"cannot be read: {error.strerror}.")) from error


def _download(url: str) -> str:
    import httpx

    try:
        with httpx.stream("GET", url, timeout=_TIMEOUT_S, follow_redirects=True) as answer:
            answer.raise_for_status()
            body = bytearray()
            for part in answer.iter_bytes():
                body += part
                if len(body) > _MOST_BYTES:
                    raise InputError(Problem(url, f"is larger than {_MOST_BYTES // 2**20} MiB."))
            return body.decode(answer.encoding or "utf-8", errors="replace")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = f"{type(error).__name__}: {error}"
        raise TransportError.named("source_unread", url=url, reason=reason) from error


def parse(text: str, name: str = "the list") -> Table:
    """Tell what the text is and read it. Raises InputError when it is nothing known."""
    try:
        table = _parse(text)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise InputError(Problem(name, f"has the outline of a known list, but not its contents: {error!r}.")) from error
    if table is None:
        hint = f"Known are a saved guide page (with {_ATTRIBUTE}), a JSON list of actions, and tables of permissions."
        raise InputError(Problem(name, "is none of the lists that can be compared.", hint))
    return table


def _parse(text: str) -> Table | None:
    if _ATTRIBUTE in text:
        return _guide(json.loads(_attribute(text)))
    try:
        data = json.loads(text)
    except ValueError:
        return None
    if isinstance(data, list):
        return _listed(data)
    if not isinstance(data, dict):
        return None
    if isinstance(data.get("actions"), list):
        return _listed(data["actions"])
    rows = data.get("permissions")
    if isinstance(rows, list) or "oauth2PermissionScopes" in data or "appRoles" in data:
        return Table("permissions", facts=_facts(data))
    return None


def _listed(rows: list[Any]) -> Table | None:
    if not rows or not all(isinstance(row, dict) for row in rows):
        return None
    if all("label" in row and "scopes" in row for row in rows):
        return _guide(rows)
    if all("name" in row and ("delegated_id" in row or "application_id" in row) for row in rows):
        return Table("permissions", facts=_facts({"permissions": rows}))
    if not all("name" in row and "path" in row for row in rows):
        return None
    actions = [
        Listed(
            slug=row.get("slug") or _slug(row["name"]),
            name=row["name"],
            method=row.get("method"),
            path=row["path"],
            alternatives={
                kind: tuple(tuple(names) for names in row[kind].get("alternatives", ()))
                for kind in PERMISSION_TYPES
                if kind in row
            },
        )
        for row in rows
    ]
    return Table("actions", actions=tuple(actions))


def _guide(rows: list[Any]) -> Table:
    actions = [Listed(_slug(row["id"]), row["label"], scopes=tuple(row["scopes"])) for row in rows]
    if not actions:
        raise ValueError("the list of actions is empty")
    return Table("guide", actions=tuple(actions))


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower().removeprefix("microsoftentraid_")).strip("_")


def _attribute(page: str) -> str:
    """The guide's list out of a saved page (html.spec.whatwg.org, attributes in double or single quotes)."""
    found = re.search(_ATTRIBUTE + r"""\s*=\s*("[^"]*"|'[^']*')""", page)
    if found is None:
        raise ValueError(f"the attribute {_ATTRIBUTE} is not closed; was the page saved whole?")
    return html.unescape(found[1][1:-1])


def _facts(data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Permissions by name out of a list of them, or out of a tenant's Microsoft Graph service principal."""
    facts: dict[str, dict[str, Any]] = {}
    for row in data.get("permissions", ()):
        fact = facts.setdefault(row["name"], {})
        for kind in PERMISSION_TYPES:
            nested = row.get(kind)
            fact[f"{kind}_id"] = nested.get("id") if isinstance(nested, dict) else row.get(f"{kind}_id")
    for kind, key in (("delegated", "oauth2PermissionScopes"), ("application", "appRoles")):
        for row in data.get(key, ()):
            facts.setdefault(row["value"], {})[f"{kind}_id"] = row["id"]
    if "oauth2PermissionScopes" in data and "appRoles" in data:
        for fact in facts.values():
            fact.setdefault("delegated_id", None)
            fact.setdefault("application_id", None)
    return facts


def path_key(path: str) -> str:
    """A path as Microsoft's table writes it: lower case, every key ``{id}``, without ``/$ref``."""
    return re.sub(r"\{[^}]*\}", "{id}", path).lower().removesuffix("/$ref")
