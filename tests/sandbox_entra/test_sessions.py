"""Sessions of browsers, people of several tenants, and what pages say."""

from urllib.parse import urlencode

import httpx
import pytest
from entra_sandbox.entra.wording import in_words

from tests.sandbox_entra.clients import link, trouble
from tests.sandbox_entra.conftest import CALLBACK, Person, World, code_of, tls, values


class TestSessions:
    def test_several_people_in_one_browser_pick_an_account(self, world: World) -> None:
        app, first, second = world.app(), world.user(), world.user()
        first.open(link(world, app))
        first.login, first.password = second.login, second.password
        first.open(link(world, app, prompt="login"))
        screen = first.page(link(world, app))
        assert screen.headings == ["Pick an account"]
        form = screen.forms[0]
        people = [one for one in form.buttons if one.value != "other"]
        assert [one.value for one in people] == [first.id, second.id]
        assert "code" in values(first.send(screen, form, form.data(people[1])))

    def test_a_login_hint_fills_the_name_in(self, world: World, plain: Person) -> None:
        with httpx.Client(verify=tls(world.ready), trust_env=False) as client:
            answer = client.get(link(world, world.app(), login_hint=plain.login))
        assert f'value="{plain.login}"' in answer.text

    def test_signing_out_forgets_everybody(self, world: World) -> None:
        app, person = world.app(), world.user()
        person.open(link(world, app))
        target = urlencode({"post_logout_redirect_uri": CALLBACK, "state": "x"})
        end = person.open(f"{world.ready['pages']}/{world.tenant}/oauth2/v2.0/logout?{target}")
        assert end == f"{CALLBACK}?state=x"
        assert code_of(values(person.open(link(world, app, prompt="none")))) == 50058

    def test_signing_out_leads_to_no_foreign_address(self, world: World) -> None:
        target = urlencode({"post_logout_redirect_uri": "https://elsewhere.example/"})
        end = world.user().page(f"{world.ready['pages']}/common/oauth2/v2.0/logout?{target}")
        assert end.headings == ["You signed out of your account"]

    def test_a_form_made_for_another_browser_starts_over(self, world: World) -> None:
        app, victim, attacker = world.app(), world.user(), world.user()
        victim.open(link(world, world.app()))
        attacker.open(link(world, app), press="Nothing")
        planted = attacker.page(link(world, app, prompt="consent"))
        assert planted.headings == ["Permissions requested"]
        data = {"flow": planted.forms[0].controls[0].value, "decision": "accept"}
        screen = victim.page(link(world, app))
        victim.send(screen, planted.forms[0], data, press="Cancel")
        assert world.scopes_of(app, victim.id) == set()

    @pytest.mark.parametrize("flow", ["", "forged", "gAAAAABforged"])
    def test_a_forged_form_is_refused(self, world: World, flow: str) -> None:
        answer = httpx.post(
            f"{world.ready['pages']}/{world.tenant}/consent", data={"flow": flow, "decision": "accept"}, trust_env=False
        )
        assert answer.status_code == 400

    def test_pages_carry_the_headers_that_keep_others_out(self, world: World) -> None:
        answer = httpx.get(link(world, world.app()), trust_env=False)
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"].startswith("no-store")

    def test_signing_in_changes_the_cookie(self, world: World) -> None:
        person = world.user()
        person.page(link(world, world.app()))
        before = dict(person.cookies)
        person.open(link(world, world.app()))
        assert person.cookies.keys() == before.keys()
        assert person.cookies != before


class TestSeveralTenants:
    def test_a_multi_tenant_application_appears_in_another_tenant_with_its_first_consent(self, world: World) -> None:
        app = world.app(signInAudience="AzureADMultipleOrgs", name="Everywhere")
        person = world.user(tenant=world.fabrikam)
        assert world.store.first("servicePrincipal", world.fabrikam, appId=app.id) is None
        assert "code" in values(person.open(link(world, app, tenant="organizations")))
        copy = world.store.first("servicePrincipal", world.fabrikam, appId=app.id)
        assert copy is not None
        assert copy["appOwnerOrganizationId"] == world.tenant
        assert copy["displayName"] == "Everywhere"

    def test_an_application_of_one_tenant_is_not_found_in_another(self, world: World) -> None:
        person = world.user(tenant=world.fabrikam)
        assert trouble(person.open(link(world, world.app(), tenant=world.fabrikam))) == 700016


@pytest.mark.parametrize(
    ("name", "described", "words"),
    [
        ("Group.ReadWrite.All", "", "Read and write all groups"),
        ("Policy.ReadWrite.ConditionalAccess", "", "Read and write policies (conditional access)"),
        ("offline_access", "offline_access", "Maintain access to data you have given it access to"),
        ("Files.Read", "Read your files", "Read your files"),
        ("Odd", "", "Odd"),
    ],
)
def test_permissions_are_put_into_words(name: str, described: str, words: str) -> None:
    assert in_words(name, described) == words


def test_the_page_of_an_error_explains_it(world: World) -> None:
    answer = httpx.get(f"{world.ready['pages']}/error?code=7000215", trust_env=False)
    assert "AADSTS7000215" in answer.text
    assert httpx.get(f"{world.ready['pages']}/error?code=1", trust_env=False).status_code == 404


def test_the_seeded_people_can_sign_in(world: World) -> None:
    app = world.app(isFallbackPublicClient=True)
    world.consent(app, "User.Read")
    with httpx.Client(verify=tls(world.ready), trust_env=False) as client:
        for name, person in world.ready["users"].items():
            ask = {"grant_type": "password", "client_id": app.id, "scope": "User.Read"}
            ask |= {"username": name, "password": person["password"]}
            answer = client.post(f"{world.base}/contoso.com/oauth2/v2.0/token", data=ask)
            assert answer.status_code == 200, answer.text
