"""Disposable objects for probes: found or made by the administrator's sign-in, marked, and always removed again.

Nothing that the runbook did not make is ever written on. What could not be removed is listed by name.

What an earlier proof made and could not remove, because it was killed, is found by its mark and removed. The mark
stands in the name of everything that a proof makes: whose application, which machine, and when. Proofs of one
application on one machine take turns, so what this machine left is removed at once; what another left, when it is so
old that no proof can still be using it.
"""

from __future__ import annotations

import base64
import hashlib
import platform
import re
import secrets
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

import platformdirs

from runbook.actions import Reply
from runbook.clients import retry
from runbook.clients.calls import shown_path
from runbook.clients.graph import BatchRequest, GraphClient
from runbook.clients.http import Answer
from runbook.clients.odata import literal
from runbook.errors import GraphError, RunbookError
from runbook.proof.recipes import fill, need, recipes
from runbook.tenant.base import Context
from runbook.tenant.snapshot import address

Values = dict[str, Any]
_PATIENCE = 60.0
_OLD = 60
"""Minutes after which nothing of another machine's proof is still in use."""


class NothingFound(Exception):
    """The tenant has no object that the probe could read."""


@dataclass
class Thing:
    """A disposable object: what it was made from, with itself as ``it``. ``gone``: a probe has deleted it.

    ``doubt``: the answer that leaves open whether a probe has, or (of a link, which has no ``it``) has made it.
    """

    kind: str
    values: Values
    gone: bool = False
    doubt: RunbookError | None = None

    @property
    def name(self) -> str:
        """Its kind and what it is called on the tenant."""
        it = self.values["it"]
        return f"{self.kind.replace('_', ' ')} {it.get('displayName') or it.get('id') or self.values['name']}"


def patiently(ctx: Context, send: Callable[[], Reply], what: str, *, fresh: bool) -> Reply:
    """Send until the answer is no known replication answer; ``fresh``: an object in it was just made.

    An answer "exists already" after such a refusal means that the refused write had taken effect. Raises
    :class:`GraphError` for every other refusal.
    """
    refused = False

    def attempt() -> Reply:
        nonlocal refused
        try:
            return send()
        except GraphError as error:
            row = retry.transient(error)
            if row is not None and row.then == "exists" and refused:
                return Reply(error.status, request_id=error.request_id or "")
            refused = True
            raise

    def passing(error: RunbookError) -> bool:
        # What was just made may be unknown to any replica for a while, also where no row says so.
        row = retry.transient(error)
        return fresh and (getattr(error, "status", 0) == 404 if row is None else row.then != "exists")

    deadline = min(ctx.graph.pace.deadline, _PATIENCE)
    return ctx.graph.until(
        attempt, f"{shown_path(what)} reaches what was just made", passing=passing, deadline=deadline
    )


class Workshop:
    """Finds and makes what probes need; may be used from several threads.

    ``mark`` is in the name of everything that is made; ``litter`` names what could not be removed,
    ``swept`` what earlier proofs had left.
    """

    def __init__(self, ctx: Context, always: Mapping[str, Any], *, owner: str = "") -> None:
        self.ctx = ctx
        self.mark = Mark.now(str(always["application"]["appId"]), ctx.graph.session.now())
        self.litter: list[str] = []
        self.swept: list[str] = []
        self._always = {**always, "mark": self.mark.text, "graph": f"{ctx.target.endpoints.graph}/v1.0"}
        self._owner = owner
        self._found: dict[str, dict[str, Any] | None] = {}
        self._finding = threading.Lock()

    @contextmanager
    def bench(self, needs: Mapping[str, str], *, owned: bool = False) -> Iterator[tuple[Values, list[Thing]]]:
        """The values that a probe's templates may use, and the stack of what to remove afterwards.

        ``owned`` makes our service principal an owner of what is made, for permissions that reach own objects only.
        Raises :class:`NothingFound`, or :class:`RunbookError` when a disposable object cannot be made.
        """
        made: list[Thing] = []
        try:
            yield self._values(needs, made, owned=owned), made
        finally:
            for thing in reversed(made):
                self._remove(thing)

    def left(self, slugs: Iterable[str]) -> list[Thing]:
        """What earlier proofs of these actions left. Raises :class:`TransportError` when it cannot be listed."""
        found = _left_behind(self.ctx.graph, self.mark, slugs)
        return [Thing(kind, {"it": item}, gone=in_bin) for kind, item, in_bin in found]

    def sweep(self, slugs: Iterable[str]) -> None:
        """Remove what :meth:`left` finds."""
        for thing in self.left(slugs):
            self.swept.append(thing.name)
            self._remove(thing)

    def _values(self, needs: Mapping[str, str], made: list[Thing], *, owned: bool) -> Values:
        values = self._fresh_values()
        for name, text in needs.items():
            source, kind = need(text)
            item = self.find(kind) if source != "made" else None
            if item is None and source == "found":
                raise NothingFound(f"this tenant has no {kind.replace('_', ' ')} to read")
            values[name] = item if item is not None else self.make(kind, made, owned=owned)
        return values

    def _fresh_values(self) -> Values:
        """The ambient values: what is always there, and names that no other object has."""
        unique = secrets.token_hex(4)
        return {
            **self._always,
            "name": f"runbook probe {self.mark.text} {unique}",
            "nick": f"runbook-probe-{self.mark.text}-{unique}",
            "guid": str(uuid.uuid4()),
            "password": secrets.token_urlsafe(18) + "aA1!",
            "key": base64.b64encode(secrets.token_bytes(32)).decode(),
            "domain-name": f"runbook-probe-{self.mark.text}-{unique}.example.org",
        }

    def look(self, slugs: Iterable[str]) -> None:
        """Find what the probes of these actions need in as few requests as can be; what is refused is asked anew."""
        needs = [need(text) for slug in slugs for text in recipes().probes[slug].needs.values()]
        kinds = [*dict.fromkeys(kind for source, kind in needs if source != "made")]
        parts = [(spec.path, spec.select) for spec in map(recipes().found.__getitem__, kinds)]
        asked = [BatchRequest("GET", address(path, **({"select": select} if select else {}))) for path, select in parts]
        for kind, answer in zip(kinds, self.ctx.graph.batch(asked) if len(asked) > 1 else (), strict=False):
            if answer.ok:
                self._found[kind] = _chosen(kind, _items(answer))

    def find(self, kind: str) -> dict[str, Any] | None:
        """An object of this kind that is there already, or None; asked once."""
        with self._finding:
            if kind not in self._found:
                spec = recipes().found[kind]
                self._found[kind] = _chosen(kind, self.ctx.graph.page(spec.path, select=spec.select).items)
            return self._found[kind]

    def make(self, kind: str, made: list[Thing], *, owned: bool = False) -> Values:
        """A new disposable object of this kind with what it needs, noted in ``made`` for removal."""
        spec = recipes().made[kind]
        values = self._values(spec.needs, made, owned=owned)
        path, body = fill(spec.path, values), fill(spec.body, values)
        try:
            made_of = self._post(path, body)
        except RunbookError as error:
            self.lost(kind, values, error, made)
            raise
        item = self.note(kind, made_of, values, made)
        if owned and spec.owned and self._owner:
            link = {"@odata.id": f"{values['graph']}/directoryObjects/{self._owner}"}
            self._post(fill(spec.owned, {**values, "it": item}), link)
        return item

    def _post(self, path: str, body: Any) -> Any:
        def send() -> Reply:
            return Reply(201, self.ctx.graph.post(path, body))

        return patiently(self.ctx, send, f"POST {path}", fresh=True).body

    def note(self, kind: str, body: Any, values: Values, made: list[Thing]) -> Values:
        """Remember something that was made, with what it was made from, so that it is removed."""
        spec = recipes().made[kind]
        item: Values = {name: values[name] for name in spec.needs} | (body if isinstance(body, dict) else {})
        made.append(Thing(kind, {**values, "it": item}))
        self._tell(made[-1], there=True)
        return item

    def _remove(self, thing: Thing) -> None:
        spec, graph = recipes().made[thing.kind], self.ctx.graph
        remove = partial(graph.remove, fresh=True, deadline=graph.pace.lag)
        try:
            if not thing.gone:
                there = remove(fill(spec.remove, thing.values), unsure=thing.doubt is not None)
                if thing.doubt is not None:
                    link = not thing.values["it"]
                    graph.session.settled(thing.doubt.ticket, applied=there is link, created=there and link)
            if spec.purge:
                # Else it would stay in the deleted items for 30 days and keep its names taken.
                remove(fill(spec.purge, thing.values))
        except RunbookError as error:
            self._tell(thing, there=True)
            self.litter.append(f"{thing.name}: {error.what}")
        else:
            self._tell(thing, there=False)

    def _tell(self, thing: Thing, *, there: bool) -> None:
        # At once: of a proof that is killed the journal is all that is left.
        self.ctx.journal.event("disposable", what=thing.name, there=there)

    def lost(self, kind: str, values: Values, error: RunbookError, made: list[Thing]) -> None:
        """Find what a failed request may have made all the same, so that it is removed; else say so."""
        spec, found = recipes().made[kind], []
        hangs_on = any(need(text)[0] == "made" for text in spec.needs.values())
        if not retry.maybe_applied(error):
            return
        perhaps = Thing(kind, {**values, "it": {}}, doubt=error)
        if "$it" not in spec.remove:
            made.append(perhaps)
            self._tell(perhaps, there=True)
            return
        if hangs_on and not spec.bin:
            return  # it goes with what it hangs on
        with suppress(RunbookError):
            found = self._like(spec.path, fill(spec.body, values))
        for item in found:
            self.note(kind, item, values, made)
        if found:
            self.ctx.graph.session.settled(error.ticket, applied=True, created=True)
        else:
            self._tell(perhaps, there=True)
            self.litter.append(f"{perhaps.name}: it may have been made, the answer was lost")

    def _like(self, path: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What there is that was made with this body: by a name that nothing else has."""
        if "id" in body:
            item = self.ctx.graph.find(f"{path}/{body['id']}")
            return [item] if item else []
        name = "displayName" if "displayName" in body else "appId"
        return [*self.ctx.graph.list(path, filter=f"{name} eq {literal(body[name])}")]


@dataclass(frozen=True)
class Mark:
    """``text`` is in the names of a proof's objects; ``of`` is the part that all proofs of one application share.

    ``minute`` by the service's clock, as proofs on other machines compare it with theirs.
    """

    of: str
    home: str
    minute: int

    @classmethod
    def now(cls, app_id: str, moment: datetime) -> Mark:
        here = f"{platform.node()}\n{platformdirs.user_data_path('entra-id-runbook', appauthor=False)}"
        return cls(_short(app_id, 8), _short(here, 4), int(moment.timestamp()) // 60)

    @property
    def text(self) -> str:
        return f"{self.of}-{self.home}-{self.minute:x}"

    def may_remove(self, name: str) -> bool:
        """Whether ``name`` is that of an object which an earlier proof of this application left."""
        found = re.match(rf"runbook[ -]probe[ -]{self.of}-([0-9a-f]{{4}})-([0-9a-f]{{1,8}})[ -]", name)
        return found is not None and (found[1] == self.home or self.minute - int(found[2], 16) > _OLD)


def _left_behind(graph: GraphClient, mark: Mark, slugs: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Kind, object, and whether it is in a bin, of everything that earlier proofs of these actions left.

    One request. What may not be listed with this sign-in could not have been made with it either. Raises
    :class:`TransportError`.
    """
    asked: list[tuple[str, bool, str]] = []
    for kind in sorted(_kinds(slugs)):
        made = recipes().made[kind]
        if not any(source == "made" for source, _ in map(need, made.needs.values())):
            asked.append((kind, False, _listed(made.path, f"runbook probe {mark.of}-")))
        if made.bin:
            asked.append((kind, True, made.bin))
    answers = graph.batch(BatchRequest("GET", path) for _kind, _bin, path in asked) if asked else []
    for (kind, in_bin, _path), answer in zip(asked, answers, strict=True):
        for item in _items(answer):
            if mark.may_remove(str(item.get("displayName") or item["id"])):
                yield kind, item, in_bin


def _chosen(kind: str, items: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The one to use of what was found; None where there is none that fits."""
    for name, accepted in recipes().found[kind].one_of.items():
        items = sorted((i for i in items if i.get(name) in accepted), key=lambda i: accepted.index(i[name]))
    return next(map(dict, items), None)


def _items(answer: Answer) -> list[dict[str, Any]]:
    return list(answer.body.get("value") or ()) if answer.ok and isinstance(answer.body, dict) else []


def _listed(path: str, prefix: str) -> str:
    # Domains and conditional access know no startswith; there are few of them.
    if path.startswith(("/domains", "/identity")):
        return path
    return f"{path}?$filter={quote(f'startswith(displayName,{literal(prefix)})')}&$select=id,displayName"


def _kinds(slugs: Iterable[str]) -> set[str]:
    """The kinds that the probes of these actions make, with what those need."""
    kinds: set[str] = set()
    for slug in slugs:
        probe = recipes().probes[slug]
        waiting = [*_made(probe.needs), *([probe.makes] if probe.makes else [])]
        while waiting:
            kind = waiting.pop()
            kinds.add(kind)
            waiting += _made(recipes().made[kind].needs)
    return kinds


def _made(needs: Mapping[str, str]) -> list[str]:
    return [kind for source, kind in map(need, needs.values()) if source != "found"]


def _short(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]
