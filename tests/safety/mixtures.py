"""Mixtures of illnesses drawn from a seed, each with the words by which a true reason would name it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["LETHAL", "Mixture", "drawn"]

Illness = dict[str, Any]

# Where an illness strikes: calls that a run makes, and groups of them. The pages on which a person of the rehearsal
# clicks are no part of the run.
WHERE: tuple[tuple[str, str | None, str], ...] = (
    ("graph", "GET", "/v1.0/applications(uniqueName*"),
    ("graph", "PATCH", "/v1.0/applications(uniqueName*"),
    ("graph", "GET", "/v1.0/applications"),
    ("graph", "PATCH", "/v1.0/applications/*"),
    ("graph", "POST", "/v1.0/applications/*/addPassword"),
    ("graph", "GET", "/v1.0/servicePrincipals(*"),
    ("graph", "POST", "/v1.0/servicePrincipals"),
    ("graph", "GET", "/v1.0/servicePrincipals/*/appRole*"),
    ("graph", "POST", "/v1.0/servicePrincipals/*/appRole*"),
    ("graph", "GET", "/v1.0/oauth2PermissionGrants"),
    ("graph", "POST", "/v1.0/oauth2PermissionGrants"),
    ("graph", "GET", "/v1.0/policies/*"),
    ("graph", "GET", "/v1.0/directory/deletedItems/*"),
    ("graph", "POST", "/v1.0/groups"),
    ("graph", "DELETE", "/v1.0/groups/*"),
    ("graph", "GET", "/v1.0/users"),
    ("graph", "GET", "/v1.0/organization*"),
    ("graph", None, "/v1.0/*"),
    ("graph", "PATCH", "/v1.0/*"),
    ("graph", "POST", "/v1.0/*"),
    ("entra", "POST", "*/oauth2/v2.0/token"),
    ("entra", "GET", "*/.well-known/*"),
    ("entra", "POST", "*/oauth2/v2.0/devicecode"),
    ("stackone", "GET", "/connector_profiles*"),
    ("stackone", "GET", "/accounts*"),
    ("stackone", "POST", "/connect_sessions"),
    ("stackone", "POST", "/connect_sessions/authenticate"),
    ("stackone", "POST", "/actions/rpc"),
)
UNWELL = r"\b50[0234]\b|unwell|busy|no usable answer|UnknownError|gateway|serviceNotAvailable|temporarily|AADSTS90033"
YOUNG = ("AADSTS500011", "AADSTS650052", "AADSTS700016", "AADSTS7000215", "AADSTS7000229")
NOT_YET = r"still waiting until|could not be seen|not reached|replica|young|just made|7000215"


@dataclass(frozen=True)
class Mixture:
    """One case. ``reasons``: patterns, one of which a run that does not pass must name; ``lethal``: it cannot pass."""

    number: int
    illnesses: tuple[Illness, ...]
    reasons: tuple[str, ...]
    lethal: bool = False
    values: dict[str, Any] = field(default_factory=dict)

    def course(self) -> dict[str, Any]:
        """As a faults file."""
        return {"seed": self.number, "illnesses": list(self.illnesses)}

    def __str__(self) -> str:
        return ", ".join(_told(one) for one in self.illnesses)


def _told(illness: Illness) -> str:
    rest = {name: value for name, value in illness.items() if name not in ("kind", "match")}
    match = " ".join(str(value) for value in (illness.get("match") or {}).values() if value)
    return f"{illness['kind']} {' '.join(f'{name}={value}' for name, value in rest.items())} {match}".strip()


def _where(draw: random.Random) -> Illness:
    service, method, path = draw.choice(WHERE)
    return {"service": service, "path": path} | ({"method": method} if method else {})


def _passing(draw: random.Random) -> Illness:
    """How often and after how many chances a passing illness strikes: never as often as a client tries again."""
    return {"match": _where(draw), "times": draw.randint(1, 2), "skip": draw.choice((0, 0, 0, 0, 1, 2, 4))}


def _answer(draw: random.Random) -> tuple[Illness, str]:
    status, code = draw.choice(
        ((500, "InternalServerError"), (502, "UnknownError"), (503, "serviceNotAvailable"), (504, "UnknownError"))
    )
    when = draw.choice(("before", "before", "after"))
    message = draw.choice(("", "Try again later."))
    return {
        "kind": "answer",
        "status": status,
        "code": code,
        "message": message,
        "when": when,
        **_passing(draw),
    }, UNWELL


def _unavailable(draw: random.Random) -> tuple[Illness, str]:
    status, when = draw.choice((500, 502, 503, 504)), draw.choice(("before", "before", "after"))
    return {"kind": "unavailable", "status": status, "when": when, **_wait(draw), **_passing(draw)}, UNWELL


def _wait(draw: random.Random) -> Illness:
    """The header Retry-After: none, seconds, or a date."""
    return draw.choice(
        ({"retry_after": None}, {"retry_after": 0}, {"retry_after": 1}, {"retry_after": 2, "as_date": True})
    )


def _throttle(draw: random.Random) -> tuple[Illness, str]:
    return {"kind": "throttle", **_wait(draw), **_passing(draw)}, r"\b429\b|[Tt]oo many"


def _reset(draw: random.Random) -> tuple[Illness, str]:
    return {"kind": "reset", "when": draw.choice(("before", "after")), **_passing(draw)}, UNWELL


def _closed(draw: random.Random) -> tuple[Illness, str]:
    return {"kind": "cut", "when": draw.choice(("before", "after")), **_passing(draw)}, UNWELL


def _truncated(draw: random.Random) -> tuple[Illness, str]:
    return {"kind": "truncate", **_passing(draw)}, UNWELL + "|cut off"


def _slow(draw: random.Random) -> tuple[Illness, str]:
    return {"kind": "slow", "seconds": [0.1, 0.6], **_passing(draw)}, NOT_YET


def _lag(draw: random.Random) -> tuple[Illness, str]:
    read, link = draw.uniform(0.2, 2), draw.uniform(0, 1.5)
    return {"kind": "lag", "read": [read / 4, read], "link": [0, link]}, NOT_YET


def _ahead(draw: random.Random) -> tuple[Illness, str]:
    return {"kind": "ahead", "seconds": [0, draw.uniform(0.5, 2)]}, NOT_YET


def _young_secret(draw: random.Random) -> tuple[Illness, str]:
    return {"kind": "secret_delay", "seconds": [0.2, draw.uniform(0.5, 3)]}, NOT_YET


def _late_grants(draw: random.Random) -> tuple[Illness, str]:
    return {"kind": "late_grants", "seconds": draw.uniform(0.2, 3)}, NOT_YET


def _stale(draw: random.Random) -> tuple[Illness, str]:
    until = draw.uniform(0.3, 2)
    match = draw.choice(({}, {"method": "PATCH"}, {"method": "DELETE"}, {"path": "/v1.0/applications/*"}))
    return {"kind": "stale", "seconds": [until / 4, until], "match": match}, NOT_YET


def _young(draw: random.Random) -> tuple[Illness, str]:
    error = draw.choice(("Error_MsaAppDoesNotExist", "Directory_ConcurrencyViolation", *YOUNG))
    return {"kind": "young", "error": error, "seconds": [0.2, draw.uniform(0.5, 2.5)]}, f"{error}|{NOT_YET}"


def _next_link(draw: random.Random) -> tuple[Illness, str]:
    how = draw.choice(("repeat", "elsewhere", "number"))
    match = {"path": draw.choice(("/v1.0/oauth2PermissionGrants", "/v1.0/applications", "/v1.0/users", "*"))}
    return {"kind": "next_link", "how": how, "times": 1, "match": match}, "next page|another host|same page|nextLink"


def _skew(draw: random.Random) -> tuple[Illness, str]:
    # A clock that was ahead goes back when the weather passes; StackOne's own times would then lie in the future.
    service, back = draw.choice(((None, True), ("graph", False), ("entra", False), ("stackone", True)))
    seconds = draw.choice((1, 30, 180, 400)) * (-1 if back else draw.choice((-1, 1)))
    return {"kind": "clock_skew", "seconds": seconds, "service": service}, "clock"


def _challenge(draw: random.Random) -> tuple[Illness, str]:
    match = {"service": "graph", "path": "/v1.0/*"}
    return {"kind": "claims_challenge", "match": match, "times": 1, "skip": draw.randint(0, 20)}, "challenge"


def _policy(draw: random.Random) -> tuple[Illness, str]:
    # Under the 30 days before which a secret is renewed, the end of the policy would rightly make a new one due.
    return {"kind": "secret_policy", "max_days": draw.choice((60, 90, 180))}, "policy"


PASSING: Sequence[tuple[Callable[[random.Random], tuple[Illness, str]], int]] = (
    *((_answer, 6), (_unavailable, 4), (_throttle, 3), (_reset, 4), (_closed, 2), (_truncated, 3), (_slow, 2)),
    *((_lag, 4), (_ahead, 3), (_stale, 4), (_young_secret, 2), (_late_grants, 2), (_young, 3)),
    *((_next_link, 1), (_skew, 2), (_challenge, 1), (_policy, 1)),
)
"""Illnesses that pass, with their weights. Two of a kind that are states of the sandbox are one."""
ALONE = frozenset({"clock_skew", "secret_policy", "lag", "ahead", "secret_delay", "late_grants", "stale", "young"})

LETHAL: Sequence[tuple[Illness, str, dict[str, Any]]] = (
    ({"kind": "secret_policy", "forbid": True}, "forbids client secrets", {}),
    ({"kind": "consent_lies"}, "not granted", {"consent": "link"}),
    (
        {"kind": "unavailable", "match": {"service": "graph", "method": "POST", "path": "/v1.0/servicePrincipals"}},
        UNWELL,
        {},
    ),
    ({"kind": "unavailable", "skip": 25, "match": {"service": "graph"}}, UNWELL, {}),
    ({"kind": "answer", "status": 502, "code": "UnknownError", "match": {"service": "stackone"}}, UNWELL, {}),
    ({"kind": "reset", "skip": 3, "match": {"service": "entra", "path": "*/token"}}, UNWELL, {}),
    (
        {
            "kind": "answer",
            "status": 403,
            "code": "Authorization_RequestDenied",
            "message": "Insufficient privileges to complete the operation.",
            "match": {"service": "graph", "method": "PATCH", "path": "/v1.0/applications*"},
        },
        "403|Insufficient privileges",
        {},
    ),
    ({"kind": "throttle", "retry_after": 600, "skip": 2, "match": {"service": "graph", "method": "POST"}}, "429", {}),
)
"""Illnesses that a run cannot survive, with what its reason must say."""


def drawn(seed: int, number: int) -> Mixture:
    """Case ``number`` of ``seed``: one to four illnesses, in one case of eight one more that is lethal."""
    draw = random.Random(f"{seed}/{number}")
    kinds, weights = zip(*PASSING, strict=True)
    illnesses: list[Illness] = []
    reasons: list[str] = []
    for make in draw.choices(kinds, weights, k=draw.choice((1, 1, 2, 2, 3, 4))):
        illness, reason = make(draw)
        if illness["kind"] not in ALONE or illness["kind"] not in {one["kind"] for one in illnesses}:
            illnesses.append(illness)
            reasons.append(reason)
    if draw.random() >= 1 / 8:
        return Mixture(number, tuple(illnesses), tuple(reasons))
    illness, reason, values = draw.choice(LETHAL)
    illnesses = [one for one in illnesses if one["kind"] != illness["kind"] or illness["kind"] not in ALONE]
    return Mixture(number, (*illnesses, illness), (reason, *reasons), lethal=True, values=dict(values))
