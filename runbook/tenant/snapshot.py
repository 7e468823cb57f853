"""What the tenant said, asked once: reads that are remembered for some seconds, and no longer than until a write.

Sections ask for one object at a time and get it from here; what is asked for together, or is likely to be asked for
next, goes out in one ``$batch`` (learn.microsoft.com/graph/json-batching). What a run made or saw before is remembered
longer: also in another process of the same run, through the journal of its record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from runbook.clients.graph import LARGEST, BatchRequest, GraphClient, graph_error
from runbook.clients.http import Session
from runbook.clients.stackone import StackOneClient
from runbook.errors import GraphError
from runbook.secrets.secret import MASK

T = TypeVar("T")
JSON = dict[str, Any]
Answers = dict[str, "JSON | GraphError"]
_YOUNG = 15.0  # seconds: from the plan that a notebook shows to the same plan being carried out


def address(path: str, **options: str | Iterable[str]) -> str:
    """``path`` with query options by their Graph names without ``$``, as one text that a batch can carry."""
    given = {f"${name}": value if isinstance(value, str) else ",".join(value) for name, value in options.items()}
    return f"{path}?{urlencode(given, quote_via=quote, safe='$,')}" if given else path


class _Memory(dict[str, Any]):
    """What one service said: for some seconds, and until something is written there."""

    def __init__(self, session: Session) -> None:
        self._session, self._writes, self._since = session, 0, 0.0

    def young(self) -> dict[str, Any]:
        if self._writes != self._session.writes or time.monotonic() - self._since > _YOUNG:
            self.clear()
        if not self:
            self._writes, self._since = self._session.writes, time.monotonic()
        return self


class Snapshot:
    """Answers to GET by address, and what StackOne said by name. Not for use from several threads.

    ``held``: what does not change while the tenant is open.
    """

    def __init__(self, graph: GraphClient, stackone: StackOneClient) -> None:
        self._graph = graph
        self.held: JSON = {}
        self._answers, self._listed = _Memory(graph.session), _Memory(stackone.session)
        self.looking = False

    @property
    def wrote(self) -> bool:
        """Whether anything was written since the tenant was opened."""
        return self._graph.session.writes > 0

    def forget(self) -> None:
        """Ask anew from now on."""
        self.forget_tenant()
        self._listed.clear()

    def forget_tenant(self) -> None:
        """Ask Microsoft Graph anew from now on."""
        self._answers.clear()

    @contextmanager
    def anew(self) -> Iterator[None]:
        """One sighting: everything within is read anew, and what is absent is absent."""
        self.forget()
        before, self.looking = self.looking, True
        try:
            yield
        finally:
            self.looking = before

    def remember(self, name: str, make: Callable[[], T], *, tenant: bool = False) -> T:
        """What ``make`` asked of StackOne, or of this ``tenant``, by name: asked once, and forgotten with the rest."""
        said = (self._answers if tenant else self._listed).young()
        if name not in said:
            said[name] = make()
        return said[name]  # type: ignore[no-any-return]

    def find(self, path: str, *along: str) -> JSON | None:
        """One object, or None when Graph says 404; ``along`` is read in the same request; else :class:`GraphError`."""
        answer = self._ask(path, *along)
        if isinstance(answer, GraphError):
            if answer.status == 404:
                return None
            raise answer
        return answer

    def items(self, path: str, *along: str) -> list[JSON]:
        """Every item of a collection. Raises :class:`GraphError`."""
        answer = self._ask(path, *along)
        if isinstance(answer, GraphError):
            raise answer
        if following := answer.pop("@odata.nextLink", None):
            answer["value"] = [*answer["value"], *self._graph.list(following)]
        return list(answer.get("value") or ())

    def _ask(self, *paths: str) -> JSON | GraphError:
        told = self._answers.young()
        absent = [path for path in dict.fromkeys(paths) if path not in told]
        if paths[0] in absent:
            told |= self._alone(absent[0]) if len(absent) == 1 else self._together(absent[:LARGEST])
        return told[paths[0]]  # type: ignore[no-any-return]

    def _alone(self, path: str) -> Answers:
        try:
            return {path: self._graph.get(path)}
        except GraphError as error:
            return {path: error}

    def _together(self, paths: list[str]) -> Answers:
        answers = self._graph.batch(BatchRequest("GET", path) for path in paths)
        found: Answers = {}
        for path, answer in zip(paths, answers, strict=True):
            told = answer.ok and isinstance(answer.body, dict)
            found[path] = answer.body if told else graph_error(answer, "GET", path)
        return found


@dataclass
class Known:
    """The client and object id of our application, the object id of its service principal, and the tenant in words.

    ``seen_at`` is when they were seen last, by the service's clock; ``granted`` what section 4 saw granted, by type;
    ``marks`` by name as they were before and after each write of this run; ``secret``: the key id of the client secret
    to work with; ``approved`` by section the hash of what was approved to be done to things of others;
    ``left_to_consent``: this caller may not make the service principal, the admin consent page will; ``reached``: the
    id of the organization that a linked account reaches, by its id and when it was linked.
    """

    app_id: str = ""
    object_id: str = ""
    principal_id: str = ""
    tenant: str = ""
    seen_at: str = ""
    granted: dict[str, list[str]] = field(default_factory=dict)
    marks: dict[str, list[str | list[str]]] = field(default_factory=dict)
    secret: str = ""
    approved: dict[str, str] = field(default_factory=dict)
    left_to_consent: bool = False
    reached: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Mapping[str, Any]]) -> Known:
        """Folded from the events of a journal: what the planning saw, then what section 2 read back."""
        known = cls()
        for event in events:
            if event["event"] == "run.started":
                known = cls(**(event.get("known") or {}))
            elif event["event"] == "http.intent" and MASK not in str(event.get("marks")):
                for name, states in (event.get("marks") or {}).items():
                    known.marks.setdefault(name, []).extend(states)
            elif event["event"] == "section.finished":
                facts = event.get("facts") or {}
                known.secret = (facts.get("secret") or {}).get("key_id", known.secret)
                if made := facts.get("application"):
                    known.app_id, known.principal_id = made["app_id"], made["service_principal_id"]
                    known.object_id = made["object_id"]
                    known.seen_at = str(event.get("at"))
                if (linked := facts.get("account") or {}).get("linked_at"):
                    known.reached[f"{linked['id']} as of {linked['linked_at']}"] = linked["organization"]
                for kind, rows in (facts.get("permissions") or {}).items():
                    known.granted[kind] = [each["name"] for each in rows if each["granted"]]
        return known
