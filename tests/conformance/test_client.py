"""What else Microsoft's Graph client does: pages, batches, upserts, headers of its own, and errors of its own type."""

from __future__ import annotations

from typing import Any

import pytest
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.method import Method
from kiota_abstractions.request_information import RequestInformation
from msgraph.generated.models.application import Application
from msgraph.generated.models.application_collection_response import ApplicationCollectionResponse
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.service_principal import ServicePrincipal
from msgraph.generated.models.user import User
from msgraph.generated.models.user_collection_response import UserCollectionResponse
from msgraph.generated.users.users_request_builder import UsersRequestBuilder
from msgraph_core.requests.batch_request_builder import BatchRequestBuilder
from msgraph_core.requests.batch_request_content import BatchRequestContent
from msgraph_core.requests.batch_request_item import BatchRequestItem
from msgraph_core.tasks.page_iterator import PageIterator

from tests.conformance.conftest import Tenant

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

Query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters


def test_the_page_iterator_sees_each_user_of_several_pages_once(tenant: Tenant) -> None:
    """A fifth of the users: Microsoft's models take some milliseconds of processor time for each."""

    async def work(g: Any) -> list[str]:
        wanted = Query(select=["id"], top=250, filter="startswith(displayName,'Extra 1')")
        first = await g.users.get(RequestConfiguration(query_parameters=wanted))
        seen: list[str] = []

        def keep(user: User) -> bool:
            seen.append(str(user.id))
            return True

        await PageIterator(first, g.request_adapter).iterate(keep)
        return seen

    tenant.sent.clear()
    seen = tenant.run(work)
    assert len(seen) == len(set(seen)) == 1111
    assert len(tenant.sent) == 5


def test_queries_of_the_client_are_understood(tenant: Tenant) -> None:
    async def work(g: Any) -> UserCollectionResponse:
        wanted = Query(
            filter="startswith(displayName,'Extra 12')",
            orderby=["displayName"],
            count=True,
            top=5,
            select=["displayName"],
        )
        configuration = RequestConfiguration(query_parameters=wanted)
        configuration.headers.add("ConsistencyLevel", "eventual")
        return await g.users.get(configuration)

    found = tenant.run(work)
    assert found.odata_count == 111
    assert [one.display_name for one in found.value] == [
        "Extra 12",
        "Extra 120",
        "Extra 1200",
        "Extra 1201",
        "Extra 1202",
    ]


def test_a_batch_of_the_core_library(tenant: Tenant, name: str) -> None:
    async def work(g: Any) -> tuple[Any, Any, Any]:
        content = BatchRequestContent()
        application = BatchRequestItem(g.applications.to_post_request_information(Application(display_name=name)))
        content.add_request(application.id, application)
        organization = BatchRequestItem(g.organization.to_get_request_information(), depends_on=[application])
        content.add_request(organization.id, organization)
        nobody = BatchRequestItem(g.users.by_user_id("nobody@contoso.com").to_get_request_information())
        content.add_request(nobody.id, nobody)
        response = await BatchRequestBuilder(g.request_adapter).post(content)
        codes = response.get_response_status_codes()
        return tuple(codes[one.id] for one in (application, organization, nobody))

    # The library reads bodies that are strings alone; what was made is looked up instead.
    assert tenant.run(work) == (201, 200, 404)
    assert tenant.store.count("application", where="(o.doc ->> '$.displayName') = ?", args=(name,)) == 1


def test_an_upsert_makes_once_and_then_changes(tenant: Tenant, name: str) -> None:
    async def work(g: Any) -> list[Any]:
        keyed = g.applications_with_unique_name(name)
        configuration: RequestConfiguration[Any] = RequestConfiguration()
        configuration.headers.add("Prefer", "create-if-missing")
        made = await keyed.patch(Application(display_name="first"), configuration)
        changed = await keyed.patch(Application(display_name="second"), configuration)
        return [made, changed, await keyed.get()]

    made, changed, read = tenant.run(work)
    assert (made.display_name, changed, read.display_name) == ("first", None, "second")
    assert read.id == made.id


@pytest.mark.parametrize(
    ("status", "code", "path", "method", "body"),
    [
        (404, "Request_ResourceNotFound", "/users/nobody@contoso.com", Method.GET, None),
        (400, "Request_BadRequest", "/users", Method.POST, User(display_name="No password")),
        (400, "BadRequest", "/users?$select=shoeSize", Method.GET, None),
        (400, "Request_UnsupportedQuery", '/users?$search="displayName:a"', Method.GET, None),
        (400, "BadRequest", "/nowhere", Method.GET, None),
        (409, "Request_MultipleObjectsWithSameKeyValue", "/servicePrincipals", Method.POST, "own"),
    ],
)
def test_a_refusal_is_an_odata_error(
    tenant: Tenant, status: int, code: str, path: str, method: Method, body: Any
) -> None:
    async def work(g: Any) -> None:
        request = RequestInformation(method)
        request.url = tenant.ready["graph"] + "/v1.0" + path
        if body is not None:
            sent = ServicePrincipal(app_id=tenant.ready["client_id"]) if body == "own" else body
            request.set_content_from_parsable(g.request_adapter, "application/json", sent)
        await g.request_adapter.send_async(request, ApplicationCollectionResponse, {"XXX": ODataError})

    with pytest.raises(ODataError) as refused:
        tenant.run(work)
    error = refused.value.error
    assert (refused.value.response_status_code, error.code) == (status, code)
    assert error.message
    assert error.inner_error.request_id == refused.value.response_headers["request-id"]
    assert error.inner_error.client_request_id == refused.value.response_headers["client-request-id"]


def test_a_permission_that_was_not_granted_is_an_odata_error(tenant: Tenant, name: str) -> None:
    async def register(g: Any) -> tuple[str, str]:
        made = await g.applications.post(Application(display_name=name))
        await g.service_principals.post(ServicePrincipal(app_id=made.app_id))
        from msgraph.generated.applications.item.add_password.add_password_post_request_body import (
            AddPasswordPostRequestBody,
        )

        secret = await g.applications.by_application_id(made.id).add_password.post(AddPasswordPostRequestBody())
        return made.app_id, secret.secret_text

    client_id, secret = tenant.run(register)
    with pytest.raises(ODataError) as refused:
        tenant.run(lambda g: g.users.get(), client_id=client_id, secret=secret)
    assert (refused.value.response_status_code, refused.value.error.code) == (403, "Authorization_RequestDenied")
