"""``/auditLogs``: learn.microsoft.com/graph/api/resources/signin, directoryaudit; the sandbox's own, newest first."""

from __future__ import annotations

from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Resource
from entra_sandbox.trail import KIND

for _name, _entity in (("signIns", "signIn"), ("directoryAudits", KIND)):
    register(
        Resource(
            path=f"auditLogs/{_name}",
            entity=_entity,
            operations=("list", "get"),
            page=1000,
            page_max=1000,
            order="o.seq DESC",
            advanced=False,
        )
    )
