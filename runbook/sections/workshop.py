"""Disposable objects for probes: found or made by the administrator's sign-in, marked, and always removed again.

Nothing that the runbook did not make is ever written on. What could not be removed is listed by name.
"""

from __future__ import annotations

import base64
import secrets
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from runbook.clients import retry
from runbook.clients.graph import graph_error
from runbook.clients.http import Answer
from runbook.clients.settle import Wait
from runbook.errors import GraphError, RunbookError
from runbook.sections.recipes import Made, fill, need, recipes

if TYPE_CHECKING:
    from runbook.sections.base import Context

__all__ = ["NothingFound", "Values", "Workshop", "patiently"]

Values = dict[str, Any]
_PATIENCE = 60.0


class NothingFound(Exception):
    """The tenant has no object that the probe could read."""


def patiently(ctx: Context, send: Callable[[], Answer], method: str, path: str, *, fresh: bool) -> Answer:
    """Send until the answer is no known replication answer; ``fresh``: an object in it was just made.

    An answer "exists already" after such a refusal means that the refused write had taken effect. Raises
    :class:`GraphError` for every other refusal.
    """
    wait = Wait(ctx.graph.pace, min(ctx.graph.pace.deadline, _PATIENCE))
    refused = False
    while True:
        answer = send()
        if answer.ok:
            return answer
        error = graph_error(answer.status, answer.body, method, path, answer.headers, answer.request_id)
        row = retry.transient(error)
        if row is not None and row.then == "exists" and refused:
            return answer
        if not fresh or row is None or row.then == "exists" or wait.over:
            raise error
        refused = True
        wait.pause()


class Workshop:
    """Finds and makes what probes need; may be used from several threads.

    ``mark`` is in the name of everything that is made; ``litter`` names what could not be removed.
    """

    def __init__(self, ctx: Context, always: Mapping[str, Any], *, owner: str = "") -> None:
        self.ctx = ctx
        self.mark = secrets.token_hex(4)
        self.litter: list[str] = []
        self._always = {**always, "mark": self.mark, "graph": f"{ctx.target.endpoints.graph}/v1.0"}
        self._owner = owner
        self._found: dict[str, dict[str, Any] | None] = {}
        self._finding = threading.Lock()

    @contextmanager
    def bench(
        self, needs: Mapping[str, str], *, owned: bool = False
    ) -> Iterator[tuple[Values, list[tuple[str, Values]]]]:
        """The values that a probe's templates may use, and the stack of what to remove afterwards.

        ``owned`` makes our service principal an owner of what is made, for permissions that reach own objects only.
        Raises :class:`NothingFound`, or :class:`RunbookError` when a disposable object cannot be made.
        """
        made: list[tuple[str, Values]] = []
        try:
            yield self._values(needs, made, owned=owned), made
        finally:
            for name, values in reversed(made):
                self._remove(name, values)

    def _values(self, needs: Mapping[str, str], made: list[tuple[str, Values]], *, owned: bool) -> Values:
        values = self.fresh_values()
        for name, text in needs.items():
            source, kind = need(text)
            item = self.find(kind) if source != "made" else None
            if item is None and source == "found":
                raise NothingFound(f"this tenant has no {kind.replace('_', ' ')} to read")
            values[name] = item if item is not None else self.make(kind, made, owned=owned)
        return values

    def fresh_values(self) -> Values:
        """The ambient values: what is always there, and names that no other object has."""
        unique = secrets.token_hex(4)
        return {
            **self._always,
            "name": f"runbook probe {self.mark} {unique}",
            "nick": f"runbook-probe-{self.mark}-{unique}",
            "guid": str(uuid.uuid4()),
            "password": secrets.token_urlsafe(18) + "aA1!",
            "key": base64.b64encode(secrets.token_bytes(32)).decode(),
            "domain-name": f"runbook-probe-{self.mark}-{unique}.example.org",
        }

    def find(self, kind: str) -> dict[str, Any] | None:
        """An object of this kind that is there already, or None; asked once."""
        with self._finding:
            return self._found_once(kind)

    def _found_once(self, kind: str) -> dict[str, Any] | None:
        if kind not in self._found:
            spec = recipes().found[kind]
            items = self.ctx.graph.page(spec.path, select=spec.select).items
            for name, accepted in spec.one_of.items():
                items = tuple(
                    sorted((i for i in items if i.get(name) in accepted), key=lambda i: accepted.index(i[name]))
                )
            self._found[kind] = dict(items[0]) if items else None
        return self._found[kind]

    def make(self, kind: str, made: list[tuple[str, Values]], *, owned: bool = False) -> Values:
        """A new disposable object of this kind with what it needs, noted in ``made`` for removal."""
        spec = recipes().made[kind]
        values = self._values(spec.needs, made, owned=owned)
        path, body = fill(spec.path, values), fill(spec.body, values)
        session = self.ctx.graph.session
        answer = patiently(self.ctx, lambda: session.request("POST", path, json=body), "POST", path, fresh=True)
        item = self.note(kind, answer.body, values, made)
        if owned and spec.owned and self._owner:
            link = {"@odata.id": f"{values['graph']}/directoryObjects/{self._owner}"}
            owners = fill(spec.owned, {**values, "it": item})
            patiently(self.ctx, lambda: session.request("POST", owners, json=link), "POST", owners, fresh=True)
        return item

    def note(self, kind: str, body: Any, values: Values, made: list[tuple[str, Values]]) -> Values:
        """Remember something that was made, with what it was made from, so that it is removed."""
        spec = recipes().made[kind]
        item: Values = {name: values[name] for name in spec.needs}
        item |= body if isinstance(body, dict) else {}
        made.append((kind, {**values, "it": item}))
        return item

    def _remove(self, kind: str, values: Values) -> None:
        spec = recipes().made[kind]
        try:
            self._settled_delete(fill(spec.remove, values))
            if spec.purge:
                self._purge(spec, values)
        except RunbookError as error:
            self.litter.append(f"{kind.replace('_', ' ')} {self._label(values)}: {error.what}")

    def _settled_delete(self, path: str) -> None:
        try:
            self.ctx.graph.delete(path)
        except GraphError as error:
            # A link to something that is gone already: the probe removed it.
            if error.status != 400 or not path.endswith("$ref"):
                raise

    def _purge(self, spec: Made, values: Values) -> None:
        """Take it out of the deleted items too, where it would stay for 30 days and keep its names taken."""
        path = fill(spec.purge, values)
        wait = Wait(self.ctx.graph.pace, 10 * self.ctx.graph.pace.interval)
        while not self.ctx.graph.delete(path) and not wait.over:
            wait.pause()

    @staticmethod
    def _label(values: Values) -> str:
        return str(values["it"].get("displayName") or values["it"].get("id") or values["name"])
