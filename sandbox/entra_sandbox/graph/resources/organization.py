"""``/organization``: learn.microsoft.com/graph/api/resources/organization"""

from __future__ import annotations

from entra_sandbox.graph import errors
from entra_sandbox.graph.call import Call
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Resource

_WRITABLE = frozenset(
    {
        "marketingNotificationEmails",
        "privacyProfile",
        "securityComplianceNotificationMails",
        "securityComplianceNotificationPhones",
        "technicalNotificationMails",
    }
)
_BASIC = ("displayName", "id", "verifiedDomains")


def update(_call: Call, _old: Document, changes: Document) -> Document:
    """Contact addresses only."""
    for name in changes:
        if name not in _WRITABLE:
            raise errors.read_only(name)
    return changes


def present(call: Call, doc: Document) -> Document:
    """``User.Read`` fills the name and the verified domains alone."""
    if call.sets and all(one == {"User.Read"} for one in call.sets):
        return {name: value for name, value in doc.items() if name in _BASIC}
    return doc


register(
    Resource(
        path="organization",
        entity="organization",
        operations=("list", "get", "update"),
        page=0,
        update=update,
        present=present,
    )
)
