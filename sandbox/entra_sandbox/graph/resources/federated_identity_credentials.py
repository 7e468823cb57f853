"""``/applications/{id}/federatedIdentityCredentials``

learn.microsoft.com/graph/api/resources/federatedidentitycredential. A document names its application in
``applicationId``, so that the token endpoint finds it.
"""

from __future__ import annotations

import uuid

from entra_sandbox.graph import access, errors, limits, objects, schema
from entra_sandbox.graph.call import Answer, Call
from entra_sandbox.graph.odata.answer import context, shape
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Resource, Route
from entra_sandbox.graph.resources.applications import APPLICATIONS

__all__ = ["KIND", "MOST"]

KIND = "federatedIdentityCredential"
MOST = 20


def list_(call: Call, _resource: Resource) -> Answer:
    """All of the application."""
    row = objects.find(call, APPLICATIONS, call.keys[0])
    shown = [_shape(call, one) for one in _of(call, row.id)]
    place = f"applications('{row.id}')/federatedIdentityCredentials"
    return Answer(200, {"@odata.context": context(call.base, place, call.options.select), "value": shown})


def get(call: Call, _resource: Resource) -> Answer:
    """By id or name."""
    _, doc = _find(call)
    return Answer(200, {"@odata.context": context(call.base, "federatedIdentityCredentials", ()), **_shape(call, doc)})


def create(call: Call, _resource: Resource) -> Answer:
    """Name and the pair of issuer and subject are unique within the application."""
    body = schema.check_body(KIND, call.json(), "FederatedIdentityCredential")
    for name in ("name", "issuer", "subject", "audiences"):
        if not body.get(name):
            raise errors.missing_value(name, "FederatedIdentityCredential")
    with call.store.transaction():
        row = objects.find(call, APPLICATIONS, call.keys[0])
        access.require_owner(call, "application", row.id)
        others = _of(call, row.id)
        _check(body, others)
        if len(others) >= MOST:
            raise errors.bad_request(f"An application can have at most {MOST} federated identity credentials.")
        doc = {"description": None, **body, "id": str(uuid.uuid4()), "applicationId": row.id}
        call.store.put(KIND, doc, call.tenant)
        call.store.link("application.federatedIdentityCredentials", row.id, doc["id"])
    place = context(call.base, f"applications('{row.id}')/federatedIdentityCredentials", (), single=True)
    return Answer(201, {"@odata.context": place, **_shape(call, doc)})


def update(call: Call, _resource: Resource) -> Answer:
    """Everything but the name; 204."""
    changes = schema.check_body(KIND, call.json(), "FederatedIdentityCredential")
    with call.store.transaction():
        application, doc = _find(call)
        access.require_owner(call, "application", application)
        if changes.get("name", doc["name"]) != doc["name"]:
            raise errors.read_only("name")
        new = {**doc, **changes}
        _check(new, [one for one in _of(call, application) if one["id"] != doc["id"]])
        call.store.put(KIND, new, call.tenant)
    return Answer(204)


def delete(call: Call, _resource: Resource) -> Answer:
    """204"""
    with call.store.transaction():
        application, doc = _find(call)
        access.require_owner(call, "application", application)
        call.store.delete(KIND, doc["id"], call.tenant)
    return Answer(204)


def _of(call: Call, application: str) -> list[Document]:
    return call.store.find(KIND, call.tenant, applicationId=application)


def _find(call: Call) -> tuple[str, Document]:
    row = objects.find(call, APPLICATIONS, call.keys[0])
    key = call.keys[1].value
    for doc in _of(call, row.id):
        if key.lower() in (doc["id"], doc["name"].lower()):
            return row.id, doc
    raise errors.not_found(key)


def _check(doc: Document, others: list[Document]) -> None:
    limits.check(KIND, doc)
    if len(doc["audiences"]) != 1 or not str(doc["issuer"]).startswith("https://"):
        raise errors.bad_request("A federated identity credential has one audience and an https issuer.")
    for other in others:
        if other["name"].lower() == doc["name"].lower():
            raise errors.GraphFault(
                409, "Request_MultipleObjectsWithSameKeyValue", "FederatedIdentityCredential with name already exists."
            )
        if (other["issuer"], other["subject"]) == (doc["issuer"], doc["subject"]):
            raise errors.conflict("issuer, subject")


def _shape(call: Call, doc: Document) -> Document:
    return shape(KIND, call.options.select, ())(doc)


register(
    Resource(
        path="applications",
        entity=KIND,
        operations=(),
        routes=(
            Route("GET", "{}/federatedIdentityCredentials", list_),
            Route("POST", "{}/federatedIdentityCredentials", create),
            Route("GET", "{}/federatedIdentityCredentials/{}", get),
            Route("PATCH", "{}/federatedIdentityCredentials/{}", update),
            Route("DELETE", "{}/federatedIdentityCredentials/{}", delete),
        ),
    )
)
