"""What is made of a journal that ends: summary, report and manifest, in this order, each whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runbook.secrets import Secret


def publish(folder: Path) -> dict[str, Any]:
    """Write summary, report and manifest of the record in ``folder``; the summary is returned.

    The manifest is signed if the run was begun with ``signing_key_ref``. Raises :class:`RecordError` or ``OSError``
    when something cannot be written, :class:`SecretStoreError` when the key cannot be read any more.
    """
    from runbook.records import manifest, report, summary
    from runbook.records.journal import read

    events = read(folder)
    folded = summary.fold(events)
    summary.write(folder, folded)
    report.write(folder)
    manifest.seal(folder, signing_key(events[0].get("parameters") or {}))
    return folded


def signing_key(parameters: Mapping[str, Any]) -> Secret | None:
    """The Ed25519 key that records are to be signed with, or None if they are not.

    Raises :class:`SecretStoreError` if it is not in the store or is no such key.
    """
    reference = parameters.get("signing_key_ref")
    if not reference:
        return None
    from runbook.records import manifest, redaction
    from runbook.secrets.stores import open_store

    key = open_store(parameters["secret_store"]).get(reference)
    redaction.register(key, *(line for line in key.reveal().splitlines() if not line.startswith("-----")))
    manifest.public_key(key)  # refuses what is not a key
    return key
