"""Documents that look different, or are there at all, while an illness lasts.

What they were lies in the store before they are changed, so that a sandbox that was killed in the middle of an illness
is well again when it starts anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from entra_sandbox.store import Document, Row, Store

__all__ = ["add", "put_off", "put_on"]

_KEPT, _ADDED = "faults.originals", "faults.added"


def put_on(store: Store, row: Row, changes: Mapping[str, Any]) -> None:
    """Give a document other properties until :func:`put_off`."""
    with store.transaction():
        before = {name: row.doc.get(name) for name in changes}
        store.set_setting(_KEPT, [*(store.setting(_KEPT) or ()), [row.kind, row.id, row.tenant, before]])
        store.update(row.kind, row.id, changes, row.tenant)


def add(store: Store, kind: str, doc: Document, tenant: str) -> None:
    """A document that is there until :func:`put_off`."""
    with store.transaction():
        store.set_setting(_ADDED, [*(store.setting(_ADDED) or ()), [kind, doc["id"], tenant]])
        store.put(kind, doc, tenant)


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
