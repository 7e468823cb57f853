"""``/domains``: learn.microsoft.com/graph/api/resources/domain"""

from __future__ import annotations

import hashlib
import re
import uuid

from entra_sandbox.graph import errors, objects
from entra_sandbox.graph.call import Answer, Call
from entra_sandbox.graph.odata.answer import context, shape
from entra_sandbox.graph.registry import register
from entra_sandbox.graph.resource import Document, Resource, Route
from entra_sandbox.store import Store

__all__ = ["DOMAINS", "verification_text"]

_SERVICES = frozenset({"Email", "OfficeCommunicationsOnline", "Yammer"})  # resources/domain
_NAME = re.compile(r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}\Z", re.IGNORECASE)


def create(call: Call, doc: Document) -> Document:
    """A domain starts unverified; its name is its id, and belongs to one tenant."""
    name = str(doc["id"]).lower()
    if not _NAME.match(name) or name.endswith(".onmicrosoft.com"):
        raise errors.bad_request("The specified domain name is not valid.", target="id")
    if call.store.row("domain", name) is not None:
        raise errors.bad_request("Domain already exists in a tenant. A conflicting object is present in the directory.")
    return {
        "authenticationType": "Managed",
        "availabilityStatus": None,
        "isAdminManaged": True,
        "isDefault": False,
        "isInitial": False,
        "isRoot": _root(call.store, call.tenant, name) is None,
        "isVerified": False,
        "passwordNotificationWindowInDays": None,
        "passwordValidityPeriodInDays": None,
        "supportedServices": [],
        **{key: value for key, value in doc.items() if key in ("supportedServices",)},
        "id": name,
    }


def update(call: Call, old: Document, changes: Document) -> Document:
    """Services that Graph may add or remove; only verified domains become the default; there is always exactly one."""
    before = set(old.get("supportedServices") or [])
    if before.symmetric_difference(changes.get("supportedServices", before)) - _SERVICES:
        raise errors.invalid_value("supportedServices", "Domain")
    if "isDefault" in changes:
        if not changes["isDefault"] or not old["isVerified"]:
            raise errors.bad_request("Only a verified domain can be made the default domain.")
        if old["authenticationType"] == "Federated":
            raise errors.bad_request("A federated domain cannot be made the default domain.")
        for other in call.store.find("domain", call.tenant, isDefault=True):
            call.store.update("domain", other["id"], {"isDefault": False}, call.tenant)
    return changes


def delete(call: Call, doc: Document) -> None:
    """Not the initial or default domain, and not one that is in use."""
    if doc["isInitial"] or doc["isDefault"]:
        raise errors.bad_request("The initial or default domain cannot be deleted.")
    ending = f"%@{doc['id']}"
    where = "(o.doc ->> '$.userPrincipalName') LIKE ? OR (o.doc ->> '$.mail') LIKE ?"
    if any(call.store.count(kind, call.tenant, where=where, args=(ending, ending)) for kind in ("user", "group")):
        raise errors.bad_request("The domain cannot be deleted: objects of the directory refer to it.")


def verify(call: Call, resource: Resource) -> Answer:
    """200 with the domain if its DNS holds the record; the sandbox's DNS holds it unless told otherwise."""
    with call.store.transaction():
        doc = objects.find(call, resource, call.keys[0]).doc
        if doc["isVerified"]:
            raise errors.bad_request("The domain is verified already.")
        if doc["id"] in (call.store.setting("graph.domainsWithoutRecord") or []):
            raise errors.bad_request(
                "Domain verification failed with the following error: 'Unable to verify DNS record.'"
            )
        doc = call.store.update(
            "domain",
            doc["id"],
            {
                "isVerified": True,
                "availabilityStatus": None,
                "supportedServices": ["Email", "OfficeCommunicationsOnline"],
            },
            call.tenant,
        )
        _tell_organization(call, doc)
    shown = {**objects.show(call, resource, doc), "availabilityStatus": "AvailableImmediately"}
    return Answer(200, {"@odata.context": context(call.base, resource.path, (), single=True), **shown})


def verification_records(call: Call, resource: Resource) -> Answer:
    """The TXT and MX records, either of which proves ownership."""
    doc = objects.find(call, resource, call.keys[0]).doc
    text = verification_text(doc["id"])
    common = {"isOptional": False, "label": doc["id"], "supportedService": "Email", "ttl": 3600}
    records = [
        {**common, "@odata.type": "#microsoft.graph.domainDnsTxtRecord", "recordType": "Txt", "text": text},
        {
            **common,
            "@odata.type": "#microsoft.graph.domainDnsMxRecord",
            "recordType": "Mx",
            "mailExchange": f"{text.removeprefix('MS=')}.msv1.invalid",
            "preference": 32767,
        },
    ]
    return _records(call, doc, "verificationDnsRecords", records)


def service_records(call: Call, resource: Resource) -> Answer:
    """What the domain's services need in its DNS; nothing until it is verified."""
    doc = objects.find(call, resource, call.keys[0]).doc
    records: list[Document] = []
    if doc["isVerified"] and not doc["isInitial"]:
        mail = {"isOptional": False, "supportedService": "Email", "ttl": 3600}
        dashed = doc["id"].replace(".", "-")
        records = [
            {
                **mail,
                "@odata.type": "#microsoft.graph.domainDnsMxRecord",
                "label": doc["id"],
                "recordType": "Mx",
                "mailExchange": f"{dashed}.mail.protection.outlook.com",
                "preference": 0,
            },
            {
                **mail,
                "@odata.type": "#microsoft.graph.domainDnsTxtRecord",
                "label": doc["id"],
                "recordType": "Txt",
                "text": "v=spf1 include:spf.protection.outlook.com -all",
            },
            {
                **mail,
                "@odata.type": "#microsoft.graph.domainDnsCnameRecord",
                "label": f"autodiscover.{doc['id']}",
                "recordType": "CName",
                "canonicalName": "autodiscover.outlook.com",
            },
        ]
    return _records(call, doc, "serviceConfigurationRecords", records)


def verification_text(name: str) -> str:
    """``MS=ms########``, always the same for a domain."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 100_000_000
    return f"MS=ms{number:08d}"


def _records(call: Call, doc: Document, name: str, records: list[Document]) -> Answer:
    shown = []
    for record in records:
        entity = record["@odata.type"].removeprefix("#microsoft.graph.")
        key = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{doc['id']}/{name}/{record['recordType']}"))
        shown.append(shape(entity, call.options.select, (), lenient=True)({**record, "id": key}))
    place = f"domains('{doc['id']}')/{name}"
    return Answer(200, {"@odata.context": context(call.base, place, call.options.select), "value": shown})


def _tell_organization(call: Call, doc: Document) -> None:
    organization = call.store.get("organization", call.tenant, call.tenant)
    if organization is not None:
        entry = {"capabilities": "", "isDefault": False, "isInitial": False, "name": doc["id"], "type": "Managed"}
        domains = [*organization.get("verifiedDomains", []), entry]
        call.store.update("organization", call.tenant, {"verifiedDomains": domains}, call.tenant)


def _root(store: Store, tenant: str, name: str) -> Document | None:
    parent = name.partition(".")[2]
    while "." in parent:
        if (found := store.get("domain", parent, tenant)) is not None:
            return found
        parent = parent.partition(".")[2]
    return None


DOMAINS = Resource(
    path="domains",
    entity="domain",
    operations=("list", "get", "create", "update", "delete"),
    required=("id",),
    read_only=(
        "authenticationType",
        "availabilityStatus",
        "isAdminManaged",
        "isInitial",
        "isRoot",
        "isVerified",
        "state",
    ),
    page=0,
    quota=False,
    create=create,
    update=update,
    delete=delete,
    routes=(
        Route("POST", "{}/verify", verify),
        Route("GET", "{}/verificationDnsRecords", verification_records),
        Route("GET", "{}/serviceConfigurationRecords", service_records),
    ),
)

register(DOMAINS)
