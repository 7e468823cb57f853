"""A local Entra ID, Microsoft Graph and StackOne to develop and rehearse against; nothing real is touched.

``ensure()`` starts the user's own sandbox, or joins it if it runs; ``running(state)`` serves a state file in this
process, for tests. Both are context managers that yield the ready line: addresses, CA, tenant, application, people.
They raise :class:`SandboxError`. The command is ``entra-sandbox``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from entra_sandbox.errors import SandboxError

if TYPE_CHECKING:
    from entra_sandbox.lease import ensure
    from entra_sandbox.server import running

__all__ = ["SandboxError", "ensure", "running"]


def __getattr__(name: str) -> object:
    """What serves and what starts loads when it is first asked for."""
    if name == "ensure":
        from entra_sandbox.lease import ensure

        return ensure
    if name == "running":
        from entra_sandbox.server import running

        return running
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
