"""What a run made or saw before: also in another process of the same run, through the journal of its record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Known:
    """The client id of our application and the object id of its service principal, and the tenant in words.

    ``seen_at`` is when they were seen last, by the service's clock; ``granted`` what section 4 saw granted, by type.
    """

    app_id: str = ""
    principal_id: str = ""
    tenant: str = ""
    seen_at: str = ""
    granted: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Mapping[str, Any]]) -> Known:
        """Folded from the events of a journal: what the planning saw, then what section 2 read back."""
        known = cls()
        for event in events:
            if event["event"] == "run.started":
                known = cls(**(event.get("known") or {}))
            elif event["event"] == "section.finished":
                facts = event.get("facts") or {}
                if made := facts.get("application"):
                    known.app_id, known.principal_id = made["app_id"], made["service_principal_id"]
                    known.seen_at = str(event.get("at"))
                for kind, rows in (facts.get("permissions") or {}).items():
                    known.granted[kind] = [each["name"] for each in rows if each["granted"]]
        return known

    def as_dict(self) -> dict[str, Any]:
        """As ``run.started`` has it."""
        return asdict(self)
