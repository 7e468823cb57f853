"""What a section says: the changes that it plans, and the evidence that it read back. Plain values."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from runbook import words
from runbook.words import Kind

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Change:
    """One line of a plan: what it is about, what is there now, what is wanted, and the difference as a word.

    ``data`` carries what ``apply`` needs and is never shown; ``hashed`` stands for ``what`` and ``wanted`` in the plan
    hash where those hold an id or a date. Neither holds a secret. ``others``: it changes what somebody else made or
    did, or grants more than was asked for, and is carried out only when exactly this plan was approved. ``asked``: a
    person was asked to make it, and has not yet.
    """

    what: str
    now: str
    wanted: str
    kind: Kind
    note: str = ""
    data: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    hashed: str | None = None
    others: bool = False
    asked: bool = False

    def shown(self) -> dict[str, str]:
        """The fields a person sees, as the journal keeps them."""
        return {column.field: getattr(self, column.field) for column in words.PLAN}


@dataclass(frozen=True)
class Evidence:
    """What was read back, and from where. ``ok`` is None when it could not be found out: never a pass.

    ``rows`` have the keys ``what``, ``value``, ``source`` and ``request_id``; ``facts`` go into ``summary.json``.
    """

    ok: bool | None
    rows: list[dict[str, str]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    next_step: str = ""


def row(what: str, value: object, source: str, request_id: str | None = None) -> dict[str, str]:
    """One row of evidence."""
    return {"what": what, "value": str(value), "source": source, "request_id": request_id or ""}


def pending(changes: Iterable[Change]) -> list[Change]:
    """The changes that ``apply`` would make. ``unknown`` counts: what could not be seen is tried, not assumed."""
    return [change for change in changes if change.kind != "same"]


def plan_hash(tenant_id: str, changes: Mapping[str, Sequence[Change]]) -> str:
    """``sha256:…`` over the tenant, and section, kind, name and wanted value of every change in a canonical order.

    What is there now, ids, dates and notes stay out: the same choice on a tenant in the same state has the same hash
    on every machine, on every day, with somebody there or not.
    """
    lines = sorted(
        [section, change.kind, *((change.what, change.wanted) if change.hashed is None else (change.hashed,))]
        for section, of_section in changes.items()
        for change in of_section
    )
    canonical = json.dumps([tenant_id, *lines], ensure_ascii=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
