"""A local Entra ID, Microsoft Graph and StackOne to rehearse on: loopback only, nothing real is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["ensure", "running"]

if TYPE_CHECKING:
    from entra_sandbox.lease import ensure
    from entra_sandbox.server import running


def __getattr__(name: str) -> object:
    """``ensure`` starts or joins the user's own sandbox; ``running`` serves one in this process. Both load late."""
    if name == "ensure":
        from entra_sandbox.lease import ensure

        return ensure
    if name == "running":
        from entra_sandbox.server import running

        return running
    raise AttributeError(name)
