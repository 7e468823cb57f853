"""Illnesses of the real services, as data: chosen by ``--faults FILE`` or ``PUT /_sandbox/faults``.

The file (YAML or JSON) has a ``seed`` and a list of ``illnesses``. What happens is drawn from the seed and from how
often an illness had its chance before, so the same file and the same requests give the same course.

.. code-block:: yaml

    seed: 7
    illnesses:
      - {kind: throttle, retry_after: 2, match: {service: graph, method: GET, path: /v1.0/users*}, times: 3}
      - {kind: lag, read: [2, 8], link: [2, 8]}
      - {kind: reset, when: after, match: {method: POST}, chance: 0.2}

``match`` limits an illness to a service, a method, and paths by a pattern (``*`` and ``?``, any casing); ``chance`` is
the probability at each of them, ``skip`` leaves the first ones alone, ``times`` is how often it strikes at most.
States of the tenant (``synced``, ``federated`` and the like) last from the beginning to the end and take none of these.
The kinds and their fields: :mod:`entra_sandbox.illnesses`.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from entra_sandbox import states
from entra_sandbox.errors import SandboxError
from entra_sandbox.illnesses import (
    Ahead,
    Challenge,
    ClockSkew,
    ConsentLies,
    Course,
    Illness,
    Lag,
    LateGrants,
    SecretDelay,
    Stale,
    State,
    Unpublished,
    Young,
)
from entra_sandbox.store import Store

__all__ = ["BadFaults", "Faults", "load", "service_of"]

_GRAPH = "00000003-0000-0000-c000-000000000000"
_STACKONE = re.compile(
    r"/(auth_configs|connector_profiles|connect_sessions|accounts|actions|unified|connectors|mcp|hub|dashboard|connect)\b"
)


class BadFaults(SandboxError, ValueError):
    """The faults file is not one; the text names every mistake."""


def load(source: Path | Mapping[str, Any]) -> Course:
    """Read a faults file (YAML or JSON) or a mapping; :class:`BadFaults` with every mistake."""
    import yaml

    try:
        value = yaml.safe_load(source.read_text(encoding="utf-8")) if isinstance(source, Path) else dict(source)
        return TypeAdapter(Course).validate_python(value)
    except ValidationError as error:
        mistakes = [f"{'.'.join(map(str, one['loc'])) or 'file'}: {one['msg']}" for one in error.errors()]
        raise BadFaults("; ".join(mistakes)) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadFaults(f"{source}: {error}") from error


class Faults:
    """The course as it is played. One per server; asked from all threads."""

    def __init__(self, store: Store, course: Course) -> None:
        self.course = course
        self._store = store
        self._guard = threading.Lock()
        self._chances = [0] * len(course.illnesses)
        self._strikes = [0] * len(course.illnesses)
        self._seen: dict[str, float] = {}
        self._late = max((one.seconds for one in course.illnesses if isinstance(one, LateGrants)), default=0.0)
        self._challenged: set[str] = set()
        self._skews: dict[str | None, float] = {}
        self._young: dict[tuple[str, str], float] = {}
        if self._late:
            self._seen = dict.fromkeys(_granted(store), -9e9)
        for illness in course.illnesses:
            if isinstance(illness, ClockSkew):
                self._skews[illness.service] = illness.seconds
            elif isinstance(illness, State):
                states.put_on(illness, store)
        withheld = (one.permissions for one in course.illnesses if isinstance(one, Unpublished))
        self._unpublished: frozenset[str] = frozenset(name for names in withheld for name in names)

    def skew(self, service: str) -> float:
        """Seconds by which the clock of a service is off: its own, and that of all."""
        return self._skews.get(service, 0.0) + self._skews.get(None, 0.0)

    def report(self) -> dict[str, Any]:
        """The course, and how often each illness had its chance and struck."""
        with self._guard:
            counts = [{"chances": a, "strikes": b} for a, b in zip(self._chances, self._strikes, strict=True)]
        return {**self.course.model_dump(mode="json"), "counts": counts}

    def strikes(
        self,
        kind: type[Illness],
        service: str,
        method: str,
        path: str,
        *,
        when: str | None = None,
        beside: tuple[str, str, str] | None = None,
    ) -> list[tuple[Any, random.Random]]:
        """Illnesses of this kind that strike the request now, each with what it draws from.

        ``when``: only those that strike before or after; ``beside``: none that strikes this other request as well.
        """
        struck = []
        for place, illness in enumerate(self.course.illnesses):
            if isinstance(illness, kind) and illness.match.fits(service, method, path):
                if when not in (None, getattr(illness, "when", "before")):
                    continue
                if beside is not None and illness.match.fits(*beside):
                    continue
                draw = self._drawn(place, illness)
                if draw is not None:
                    struck.append((illness, draw))
        return struck

    def _drawn(self, place: int, illness: Illness) -> random.Random | None:
        with self._guard:
            chance = self._chances[place]
            self._chances[place] += 1
            draw = random.Random(f"{self.course.seed}/{place}/{chance}")
            spent = illness.times is not None and self._strikes[place] >= illness.times
            if chance < illness.skip or spent or draw.random() >= illness.chance:
                return None
            self._strikes[place] += 1
            return draw

    def lag(self, method: str, path: str) -> dict[str, float]:
        """Seconds until what this Graph request creates is seen (``read``), may be linked (``link``), or is known to
        the token endpoint (``secret``), and until what it changes or removes is seen as it was no more (``stale``);
        how far ahead of the slowest the replica is that serves it (``ahead``)."""
        delays: dict[str, float] = {}
        for illness, draw in self.strikes(SecretDelay, "graph", method, path):
            delays["secret"] = max(delays.get("secret", 0.0), draw.uniform(*illness.seconds))
        for illness, draw in self.strikes(Ahead, "graph", method, path):
            delays["ahead"] = max(delays.get("ahead", 0.0), draw.uniform(*illness.seconds))
        for illness, draw in self.strikes(Stale, "graph", method, path) if method != "GET" else ():
            delays["stale"] = max(delays.get("stale", 0.0), draw.uniform(*illness.seconds))
        for illness, draw in self.strikes(Lag, "graph", method, path):
            for name, span in (("read", illness.read), ("link", illness.link)):
                delays[name] = max(delays.get(name, 0.0), draw.uniform(*span))
        return delays

    def settled(self, client: str, resource: str, names: Iterable[str]) -> list[str]:
        """Those of the permissions between two service principals (object ids) that have reached tokens."""
        if self._unpublished and _is_graph(self._store, resource):
            names = [name for name in names if name not in self._unpublished]
        wait = self._late
        if wait == 0:
            return list(names)
        now = self._store.steady()
        with self._guard:
            first = {name: self._seen.setdefault(f"{client}/{resource}/{name}", now) for name in names}
        return [name for name, seen in first.items() if now >= seen + wait]

    def challenges(self, token: str, method: str, path: str) -> bool:
        """Whether Graph challenges this token (by its ``uti``); one that was challenged stays so."""
        with self._guard:
            if token in self._challenged:
                return True
        if not self.strikes(Challenge, "graph", method, path):
            return False
        with self._guard:
            self._challenged.add(token)
        return True

    def born(self, method: str, path: str, *names: str) -> None:
        """Note that this Graph request made something with these ids, or a secret for it."""
        for illness, draw in self.strikes(Young, "graph", method, path):
            until = self._store.steady() + draw.uniform(*illness.seconds)
            self._young |= {(illness.error, name.lower()): until for name in names}

    def young(self, name: str, errors: Iterable[str]) -> str | None:
        """The first of the errors that are still given for what has this id, or None."""
        now = self._store.steady()
        return next((error for error in errors if now < self._young.get((error, name.lower()), 0.0)), None)

    def consent_lies(self) -> bool:
        """Whether this consent is a lie."""
        return bool(self.strikes(ConsentLies, "entra", "POST", "/consent"))


def _is_graph(store: Store, principal: str) -> bool:
    return (store.get("servicePrincipal", principal) or {}).get("appId") == _GRAPH


def _granted(store: Store) -> Iterable[str]:
    """What was granted before: ``client/resource/name`` of every grant and assignment."""
    for grant in store.find("oAuth2PermissionGrant"):
        for name in str(grant.get("scope") or "").split():
            yield f"{grant['clientId']}/{grant['resourceId']}/{name}"
    values: dict[str, dict[str, str]] = {}
    for assignment in store.find("appRoleAssignment"):
        resource = str(assignment["resourceId"])
        if resource not in values:
            roles = (store.get("servicePrincipal", resource) or {}).get("appRoles") or ()
            values[resource] = {str(role["id"]).lower(): str(role["value"]) for role in roles}
        value = values[resource].get(str(assignment["appRoleId"]).lower(), "")
        yield f"{assignment['principalId']}/{resource}/{value}"


def service_of(path: str) -> str:
    """Which service a path belongs to."""
    if path.lower().startswith(("/v1.0", "/beta")):
        return "graph"
    return "stackone" if _STACKONE.match(path) else "entra"
