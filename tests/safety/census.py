"""What a sandbox's own books hold of one choice and of everybody else, and what a journal announces and claims of it.

The books are the rows of the state file, bins included, as no illness and no lagging replica shows them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from entra_sandbox.store import Store

from runbook.parameters import Parameters
from runbook.records.journal import Event
from runbook.secrets.stores import SecretStore
from tests.safety.foreign import PLANTED

__all__ = ["COUNTED", "LOGS", "Books", "contradictions", "others", "unconverged"]

COUNTED = ("application", "service principal", "grant", "assignment", "secret", "profile", "account")
_CREATES = (
    ("application", "PATCH", re.compile(r"/v1\.0/applications\(uniqueName='[^']+'\)")),
    ("service principal", "POST", re.compile(r"/v1\.0/servicePrincipals")),
    ("grant", "POST", re.compile(r"/v1\.0/oauth2PermissionGrants")),
    ("assignment", "POST", re.compile(r"/v1\.0/servicePrincipals/[^/]+/appRoleAssignedTo")),
    ("secret", "POST", re.compile(r"/v1\.0/applications/[^/]+/addPassword")),
)
_REMOVES = (
    ("grant", "DELETE", re.compile(r"/v1\.0/oauth2PermissionGrants/[^/]+")),
    ("assignment", "DELETE", re.compile(r"/v1\.0/servicePrincipals/[^/]+/appRole.*")),
    ("secret", "POST", re.compile(r"/v1\.0/applications/[^/]+/removePassword")),
    ("application", "DELETE", re.compile(r"/v1\.0/applications/[^/]+")),
    ("service principal", "DELETE", re.compile(r"/v1\.0/servicePrincipals/[^/]+")),
    ("account", "DELETE", re.compile(r"/v1\.0/accounts/[^/]+")),
)
LOGS = ("directoryAudit", "signIn")
"""What the tenant writes of itself."""
_KEPT = f"o.kind NOT IN {LOGS} AND (instr(o.kind, '.') = 0 OR o.kind IN ('stackone.profile', 'stackone.account'))"
"""All but what the tenant and the sandbox's machinery write of themselves."""
_HANDED_OVER = {"connector_profile": "profile", "link_account": "account", "connector_profile_removal": "no profile"}
Row = tuple[str, str, bool, dict[str, Any]]


@dataclass(frozen=True)
class Books:
    """The rows of one choice: what a duplicate would share with the first is what they are found by."""

    applications: list[Row]
    principals: list[Row]
    grants: list[Row]
    assignments: list[Row]
    profiles: list[Row]
    accounts: list[Row]

    @classmethod
    def read(cls, store: Store, params: Parameters) -> Books:
        rows = _rows(store)

        def where(kind: str, test: Any) -> list[Row]:
            return [row for row in rows if row[0] == kind and test(row[3])]

        applications = where(
            "application",
            lambda doc: (
                PLANTED not in doc["tags"]
                and (doc.get("uniqueName") == params.unique_name or doc["displayName"] == params.application_name)
            ),
        )
        known = {row[3]["appId"] for row in applications}
        principals = where("servicePrincipal", lambda doc: doc["appId"] in known)
        ids = {row[1] for row in principals}
        return cls(
            applications,
            principals,
            where("oAuth2PermissionGrant", lambda doc: doc["clientId"] in ids),
            where("appRoleAssignment", lambda doc: doc["principalId"] in ids),
            where("stackone.profile", lambda doc: doc["name"] == params.connector_profile_name),
            where("stackone.account", lambda doc: doc["origin_owner_id"] == params.account_owner_id),
        )

    @property
    def living(self) -> Books:
        """Without what lies in the bin: what a restore brings back was not made, but what is deleted is gone."""
        applications, principals = (
            [row for row in rows if not row[2]] for rows in (self.applications, self.principals)
        )
        return replace(self, applications=applications, principals=principals)

    @property
    def secrets(self) -> list[dict[str, Any]]:
        return [secret for row in self.applications for secret in row[3].get("passwordCredentials") or ()]

    def count(self) -> Counter[str]:
        """How many of each kind there are."""
        found = Counter(
            {
                "application": len(self.applications),
                "service principal": len(self.principals),
                "grant": len(self.grants),
                "assignment": len(self.assignments),
                "secret": len(self.secrets),
                "profile": len(self.profiles),
                "account": len(self.accounts),
            }
        )
        found["in the bin"] = sum(row[2] for row in (*self.applications, *self.principals))
        once = {(row[3]["principalId"], row[3]["resourceId"], row[3]["appRoleId"]) for row in self.assignments}
        found["assignment twice"] = len(self.assignments) - len(once)
        return found

    def ids(self) -> set[str]:
        everything = (
            *self.applications,
            *self.principals,
            *self.grants,
            *self.assignments,
            *self.profiles,
            *self.accounts,
        )
        return {row[1] for row in everything}


def _rows(store: Store) -> list[Row]:
    return [(row.kind, row.id, row.deleted, _document(row.text)) for row in store.rows(None, where=_KEPT, deleted=None)]


@lru_cache(maxsize=4096)
def _document(text: str) -> dict[str, Any]:
    return dict(json.loads(text))


@lru_cache(maxsize=4096)
def _digest(text: str, deleted: bool) -> str:
    # That somebody signed in is the sandbox's to note, on a person.
    document = _document(text)
    known = json.dumps([deleted, document | {"signInActivity": None}], sort_keys=True)
    return f"{document.get('displayName')} {hashlib.sha256(known.encode()).hexdigest()[:12]}"


def others(store: Store, params: Parameters) -> dict[tuple[str, str], str]:
    """A digest of each object that is not of this choice, bins included; links as one, and nothing of the machinery."""
    own = Books.read(store, params).ids()
    rows = store.rows(None, where=_KEPT, deleted=None)
    return {(row.kind, row.id): _digest(row.text, row.deleted) for row in rows if row.id not in own}


def unconverged(books: Books, params: Parameters, secrets: SecretStore, tenant: str) -> Iterator[str]:
    """What is not as one whole run leaves it: each once, nothing in a bin, one secret and its value in the store."""
    found = books.count()
    for kind in COUNTED:
        if kind != "assignment" and found[kind] != 1:
            yield f"{found[kind]} of {kind} after the run was repeated"
    if found["assignment twice"]:
        yield f"{found['assignment']} assignments, {found['assignment twice']} of them twice"
    if found["in the bin"]:
        yield f"{found['in the bin']} objects of ours in the bin"
    for row in books.applications:
        for secret in row[3].get("passwordCredentials") or ():
            if not secrets.has(secrets.reference(f"{tenant}/{row[3]['appId']}/{secret['keyId']}")):
                yield f"the secret {secret['keyId']} is live and its value is nowhere"
    if "application" in params.permission_types and not found["assignment"]:
        yield "no application permission is granted"


def contradictions(events: Iterable[Event], made: Mapping[str, int]) -> Iterator[str]:
    """Where the journal claims more than was ``made``, or more was made than it announced before."""
    events = list(events)
    announced = Counter(_intents(events, done=False))
    claimed = Counter(_intents(events, done=True))
    for kind in COUNTED:
        least = claimed[kind] - announced[f"no {kind}"]
        most = announced[kind] - claimed[f"no {kind}"]
        if not least <= made[kind] <= most:
            yield f"{kind}: the journal claims {least} to {most}, there are {made[kind]} more than before"


def _intents(events: list[Event], *, done: bool) -> Iterator[str]:
    """The kinds whose creation (or, with ``no`` before it, removal) is announced, or known to be done."""
    outcomes = {event["intent"]: event for event in events if event["event"] == "http.outcome"}
    updates = False
    for event in events:
        updates = str(event.get("title")).startswith("Update ") if event["event"] == "hand_over" else updates
        asked = event["event"] == ("hand_over.done" if done else "hand_over") and event["kind"] in _HANDED_OVER
        if asked and not updates:
            yield _HANDED_OVER[event["kind"]]
        if event["event"] != "http.intent":
            continue
        outcome = outcomes.get(event["seq"], {})
        # An announced write may be sent more than once: each of its attempts may have made one.
        attempts = 1 if done else 1 + int(outcome.get("retries") or 0)
        known = [int(part.get("status") or 0) for part in outcome.get("parts") or ()]
        for number, part in enumerate(event.get("parts") or (event,)):
            status = known[number] if number < len(known) else int(outcome.get("status") or 0)
            for kind in _kinds(part, status, done=done):
                yield from [kind] * attempts


def _kinds(call: Mapping[str, Any], status: int, *, done: bool) -> Iterator[str]:
    path = "/v1.0/" + call["path"].partition("?")[0].removeprefix("/v1.0").lstrip("/")
    for prefix, table in (("", _CREATES), ("no ", _REMOVES)):
        for kind, method, pattern in table:
            if method == call["method"] and pattern.fullmatch(path):
                created = status == 201 if kind == "application" else 200 <= status < 300
                if created or not done:
                    yield prefix + kind
