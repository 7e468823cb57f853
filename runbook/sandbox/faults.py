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
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from runbook.sandbox.store import Store

__all__ = ["BadFaults", "Course", "Faults", "Illness", "load", "service_of"]

Seconds = Annotated[float, Field(ge=0, le=3600)]
Span = tuple[Seconds, Seconds]
_STACKONE = re.compile(
    r"/(auth_configs|connect_sessions|accounts|actions|unified|connectors|mcp|hub|dashboard|connect)\b"
)


class BadFaults(ValueError):
    """The faults file is not one; the text names every mistake."""


class Match(BaseModel):
    """Which requests an illness may strike."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: Literal["graph", "entra", "stackone"] | None = None
    method: str | None = None
    path: str = "*"

    def fits(self, service: str, method: str, path: str) -> bool:
        """Whether the request is one of them."""
        return (
            self.service in (None, service)
            and (self.method is None or self.method.upper() == method.upper())
            and fnmatchcase(path.lower(), self.path.lower())
        )


class Illness(BaseModel):
    """What every illness has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: Match = Match()
    chance: Annotated[float, Field(ge=0, le=1)] = 1.0
    skip: Annotated[int, Field(ge=0)] = 0
    times: Annotated[int, Field(ge=0)] | None = None


class Reply(Illness):
    """An error instead of the answer: ``before`` anything is done, or ``after`` a write took effect."""

    kind: Literal["answer"]
    status: Annotated[int, Field(ge=400, le=599)]
    code: str
    message: str = "The request could not be served."
    retry_after: Annotated[int, Field(ge=0)] | None = None
    when: Literal["before", "after"] = "before"


class Throttle(Illness):
    """429, with ``Retry-After`` or (``retry_after: null``) without."""

    kind: Literal["throttle"]
    retry_after: Annotated[int, Field(ge=0)] | None = 1


class Unavailable(Illness):
    """503 or 504."""

    kind: Literal["unavailable"]
    status: Literal[503, 504] = 503
    retry_after: Annotated[int, Field(ge=0)] | None = None


class Reset(Illness):
    """The connection is reset ``before`` anything is done or ``after`` it was done."""

    kind: Literal["reset"]
    when: Literal["before", "after"] = "before"


class Slow(Illness):
    """The answer takes its time (seconds, or a span of them)."""

    kind: Literal["slow"]
    seconds: Span


class Truncate(Illness):
    """The body breaks off in the middle."""

    kind: Literal["truncate"]


class Lag(Illness):
    """A new object is not seen by reads, and not accepted in links, for some seconds."""

    kind: Literal["lag"]
    read: Span = (0, 0)
    link: Span = (0, 0)


class SecretDelay(Illness):
    """The token endpoint takes a new client secret only after some seconds (AADSTS7000215 until then)."""

    kind: Literal["secret_delay"]
    seconds: Span


class LateGrants(Illness):
    """A new permission is missing from tokens for some seconds, counted from the first that would have shown it."""

    kind: Literal["late_grants"]
    seconds: Seconds


class ClockSkew(Illness):
    """The sandbox's clock is off from the machine's by ``seconds`` (negative: behind)."""

    kind: Literal["clock_skew"]
    seconds: Annotated[float, Field(ge=-86400, le=86400)]


class Challenge(Illness):
    """Continuous access evaluation: Graph wants a new token (``insufficient_claims``) in the middle of a run."""

    kind: Literal["claims_challenge"]


class ConsentLies(Illness):
    """Consent ends with success and grants nothing."""

    kind: Literal["consent_lies"]


Kind = Annotated[
    Reply
    | Throttle
    | Unavailable
    | Reset
    | Slow
    | Truncate
    | Lag
    | SecretDelay
    | LateGrants
    | ClockSkew
    | Challenge
    | ConsentLies,
    Field(discriminator="kind"),
]


class Course(BaseModel):
    """A faults file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    illnesses: tuple[Kind, ...] = ()

    @model_validator(mode="after")
    def _one_clock(self) -> Course:
        if sum(isinstance(illness, ClockSkew) for illness in self.illnesses) > 1:
            raise ValueError("there is only one clock: at most one clock_skew")
        return self


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
        self._offset: float | None = None
        if self._late:
            self._seen = dict.fromkeys(_granted(store), -9e9)
        for illness in course.illnesses:
            if isinstance(illness, ClockSkew):
                self._offset = float(store.setting("clock.offset") or 0.0)
                store.shift_clock(illness.seconds)

    def heal(self) -> None:
        """Undo what outlives a request."""
        if self._offset is not None:
            self._store.shift_clock(self._offset)

    def report(self) -> dict[str, Any]:
        """The course, and how often each illness had its chance and struck."""
        with self._guard:
            counts = [{"chances": a, "strikes": b} for a, b in zip(self._chances, self._strikes, strict=True)]
        return {**self.course.model_dump(mode="json"), "counts": counts}

    def strikes(self, kind: type[Illness], service: str, method: str, path: str) -> list[tuple[Any, random.Random]]:
        """Illnesses of this kind that strike the request now, each with what it draws from."""
        struck = []
        for place, illness in enumerate(self.course.illnesses):
            if isinstance(illness, kind) and illness.match.fits(service, method, path):
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
        the token endpoint (``secret``)."""
        delays: dict[str, float] = {}
        for illness, draw in self.strikes(SecretDelay, "graph", method, path):
            delays["secret"] = max(delays.get("secret", 0.0), draw.uniform(*illness.seconds))
        for illness, draw in self.strikes(Lag, "graph", method, path):
            for name, span in (("read", illness.read), ("link", illness.link)):
                delays[name] = max(delays.get(name, 0.0), draw.uniform(*span))
        return delays

    def settled(self, client: str, resource: str, names: Iterable[str]) -> list[str]:
        """Those of the permissions between two service principals (object ids) that have reached tokens."""
        wait = self._late
        if wait == 0:
            return list(names)
        now = self._store.now()
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

    def consent_lies(self) -> bool:
        """Whether this consent is a lie."""
        return bool(self.strikes(ConsentLies, "entra", "POST", "/consent"))


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
