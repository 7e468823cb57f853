"""Fresh tokens of our application, waited for until they carry what is granted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runbook.clients import entra
from runbook.clients.entra import TokenResult
from runbook.errors import NotSettled, SignInError
from runbook.tenant.base import Context
from runbook.tenant.credentials import aged, require_current, token, value

# Grants reach tokens with a delay: some 30 s are reported after consent (AADSTS65001 until then).
_PATIENCE = 60.0
NO_CONSENT_YET = "AADSTS65001"
# The other: the code was redeemed, and the answer with the token lost on its way.
_AGAIN = frozenset({NO_CONSENT_YET, "AADSTS54005"})


def application_roles(ctx: Context, found: Mapping[str, Any], granted: frozenset[str] | None) -> TokenResult:
    """An application token by client credentials; waits a while until it carries every granted permission.

    Raises :class:`SignInError`.
    """
    credential = require_current(ctx, found)
    last: list[TokenResult] = []

    def attempt() -> TokenResult | None:
        last[:] = [token(ctx, found, credential)]
        return last[0] if (granted or frozenset()) <= set(last[0].roles) else None

    try:
        return ctx.until(
            attempt, "a fresh token carries every granted permission", deadline=_patience(ctx), sightings=1
        )
    except NotSettled:
        return last[0]


def delegated_scopes(ctx: Context, found: Mapping[str, Any], granted: frozenset[str] | None) -> TokenResult:
    """A delegated token by device code, for the person to whom the code is handed over.

    A person is asked once. The attendant of a rehearsal is asked again while a fresh grant has not reached the token.
    Raises :class:`Parked` when nobody is there, :class:`SignInError` when Entra ID refuses.
    """

    credential = require_current(ctx, found)
    secret = value(ctx, credential)
    last: list[TokenResult] = []

    def attempt() -> TokenResult | None:
        with aged(ctx, found, credential):
            last[:] = [entra.delegated_token(ctx.target, found["appId"], secret, ctx.hand_over, journal=ctx.journal)]
        return last[0] if (granted or frozenset()) <= set(last[0].scopes) else None

    try:
        return ctx.graph.until(
            attempt,
            "a delegated token carries every granted permission",
            passing=lambda error: isinstance(error, SignInError) and error.code in _AGAIN,
            deadline=0 if ctx.target.attend is None else _patience(ctx),
        )
    except NotSettled:
        return last[0]


def _patience(ctx: Context) -> float:
    return 10.0 if ctx.target.rehearsal else _PATIENCE
