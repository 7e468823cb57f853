"""Proof that StackOne renews the tokens of the linked account.

No documented call makes StackOne refresh. But an access token of Microsoft Graph lives 60 to 90 minutes
(learn.microsoft.com/entra/identity-platform/access-tokens, "Token lifetime"), so an account that nobody touched longer
than that and through which an action works now must have been refreshed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from runbook.tenant.credentials import when

_LONGEST_LIFE = timedelta(minutes=90)


def proof(account: Mapping[str, Any], *, works: bool, now: datetime) -> dict[str, Any]:
    """``{"refresh": "proven" | "not yet" | "unknown", "refresh_reason": words, "refresh_provable_at": time or None}``.

    ``account`` as StackOne lists it; ``works``: an action was carried out through it just now.
    """
    touched = when(account.get("updated_at"))
    if touched is None:
        return _said("unknown", "StackOne does not say when the account was changed last")
    if not works:
        return _said("unknown", "no action went through the account in this run")
    provable = touched + _LONGEST_LIFE
    if now < provable:
        words = "the first access token may still be the one in use; run section 8 again after that time"
        return _said("not yet", words, provable)
    return _said("proven", "an action works although every access token from the linking has ended", provable)


def _said(state: str, reason: str, provable: datetime | None = None) -> dict[str, Any]:
    at = provable.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if provable else None
    return {"refresh": state, "refresh_reason": reason, "refresh_provable_at": at}
