"""Documents that look different, or are there at all, while an illness lasts.

What they were lies in the store before they are changed, so that a sandbox that was killed in the middle of an illness
is well again when it starts anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from entra_sandbox.store import Document, Row, Store

__all__ = ["add", "put_off", "put_on", "put_on_all"]

_KEPT, _ADDED = "faults.originals", "faults.added"


def put_on(store: Store, row: Row, changes: Mapping[str, Any]) -> None:
    """Give a document other properties until :func:`put_off`."""
    put_on_all(store, [(row, changes)])


def put_on_all(store: Store, worn: Iterable[tuple[Row, Mapping[str, Any]]]) -> None:
    """:func:`put_on` for many documents in one transaction."""
    with store.transaction():
        kept = store.setting(_KEPT) or []
        for row, changes in worn:
            document = row.doc
            kept.append([row.kind, row.id, row.tenant, {name: document.get(name) for name in changes}])
            store.update(row.kind, row.id, changes, row.tenant)
        store.set_setting(_KEPT, kept)


def add(store: Store, kind: str, docs: Iterable[tuple[Document, str]]) -> None:
    """Documents, each with its tenant, that are there until :func:`put_off`."""
    with store.transaction():
        added = store.setting(_ADDED) or []
        for doc, tenant in docs:
            added.append([kind, doc["id"], tenant])
            store.put(kind, doc, tenant)
        store.set_setting(_ADDED, added)


def put_off(store: Store) -> None:
    """Give every document its own properties back; one that was removed meanwhile stays removed."""
    with store.transaction():
        for kind, id_, tenant in store.setting(_ADDED) or ():
            store.delete(kind, id_, tenant)
        store.set_setting(_ADDED, None)
        for kind, id_, tenant, before in reversed(store.setting(_KEPT) or []):
            if store.row(kind, id_, tenant, deleted=None) is not None:
                store.update(kind, id_, before, tenant)
        store.set_setting(_KEPT, None)
