"""What an earlier proof made and could not remove, because it was killed, is found by its mark and removed.

The mark stands in the name of everything that a proof makes: whose application, which machine, and when. Proofs of one
application on one machine take turns, so what this machine left is removed at once; what another left, when it is so
old that no proof can still be using it.
"""

from __future__ import annotations

import hashlib
import platform
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import platformdirs

from runbook.clients.batch import BatchRequest
from runbook.clients.graph import GraphClient
from runbook.clients.http import Answer
from runbook.clients.odata import literal
from runbook.proof.recipes import need, recipes

_OLD = 60
"""Minutes after which nothing of another machine's proof is still in use."""


@dataclass(frozen=True)
class Mark:
    """``text`` is in the names of a proof's objects; ``of`` is the part that all proofs of one application share."""

    of: str
    home: str
    minute: int

    @classmethod
    def now(cls, app_id: str) -> Mark:
        here = f"{platform.node()}\n{platformdirs.user_data_path('entra-id-runbook', appauthor=False)}"
        return cls(_short(app_id, 8), _short(here, 4), int(time.time()) // 60)

    @property
    def text(self) -> str:
        return f"{self.of}-{self.home}-{self.minute:x}"

    def may_remove(self, name: str) -> bool:
        """Whether ``name`` is that of an object which an earlier proof of this application left."""
        found = re.match(rf"runbook[ -]probe[ -]{self.of}-([0-9a-f]{{4}})-([0-9a-f]{{1,8}})[ -]", name)
        return found is not None and (found[1] == self.home or self.minute - int(found[2], 16) > _OLD)


def left_behind(graph: GraphClient, mark: Mark, slugs: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
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
