"""What people do: sign in, pick an account, consent, refuse; and what each page does with people who may not."""

import uuid
from urllib.parse import urlencode

import pytest
from entra_sandbox.browser import Screen

from tests.sandbox_entra.clients import consent_link, link, trouble
from tests.sandbox_entra.conftest import CALLBACK, App, Person, World, code_of, values


class TestConsent:
    def test_a_person_consents_for_themselves(self, world: World) -> None:
        app, person = world.app(), world.user()
        back = values(person.open(link(world, app)))
        assert back["state"] == "s"
        assert person.seen == ["Sign in", "Permissions requested"]
        assert world.scopes_of(app, person.id) == {"openid", "User.Read"}
        assert world.scopes_of(app) == set()

    def test_what_was_consented_to_is_not_asked_again(self, world: World) -> None:
        app, person = world.app(), world.user()
        person.open(link(world, app))
        person.seen.clear()
        assert "code" in values(person.open(link(world, app)))
        assert person.seen == []
        person.open(link(world, app, prompt="consent"))
        assert person.seen == ["Permissions requested"]

    def test_an_administrator_consents_for_the_organization_by_ticking_the_box(
        self, world: World, administrator: Person
    ) -> None:
        app = world.app()
        administrator.open(link(world, app, scope="Group.Read.All"), tick=True)
        assert world.scopes_of(app) == {"Group.Read.All"}

    def test_the_box_is_not_offered_to_others(self, world: World) -> None:
        app, person = world.app(), world.user()
        person.open(link(world, app), tick=True)
        assert world.scopes_of(app) == set()

    def test_a_forged_tick_grants_nothing_to_the_organization(self, world: World) -> None:
        app, person = world.app(), world.user()
        screen = person.page(link(world, app))
        form = screen.forms[0]
        flow = form.controls[0].value
        signed = person.send(screen, form, {"flow": flow, "login": person.login, "passwd": "wrong"})
        assert isinstance(signed, Screen)
        person.open(link(world, app), press="Nothing")
        consent = person.page(link(world, app, prompt="consent"))
        data = {"flow": consent.forms[0].controls[0].value, "decision": "accept", "organization": "1"}
        person.send(consent, consent.forms[0], data)
        assert world.scopes_of(app) == set()
        assert "User.Read" in world.scopes_of(app, person.id)

    def test_saying_no_is_told_to_the_application(self, world: World) -> None:
        app, person = world.app(), world.user()
        back = values(person.open(link(world, app), press="Cancel"))
        assert (back["error"], code_of(back), back["state"]) == ("access_denied", 65004, "s")
        assert world.scopes_of(app, person.id) == set()

    def test_an_administrators_permission_is_not_for_a_user_to_give(self, world: World) -> None:
        app, person = world.app(), world.user()
        screen = person.open(link(world, app, scope="Group.Read.All"))
        assert isinstance(screen, Screen)
        assert screen.headings == ["Need admin approval"]
        data = {"flow": screen.forms[0].controls[0].value, "decision": "accept"}
        back = values(person.send(screen, screen.forms[0], data))
        assert (back["error"], code_of(back)) == ("consent_required", 90094)
        assert world.scopes_of(app, person.id) == set()

    def test_default_asks_for_what_the_registration_requests(self, world: World, administrator: Person) -> None:
        app = world.app(requiredResourceAccess=world.requested(scopes=("User.Read", "Group.Read.All")))
        administrator.open(link(world, app, scope="https://graph.microsoft.com/.default"), tick=True)
        assert world.scopes_of(app) == {"User.Read", "Group.Read.All"}

    def test_permissions_without_an_operation_here_are_asked_for_and_granted_like_any(self, world: World) -> None:
        app, person = world.app(name="Diary"), world.user()
        scope = "openid Calendars.ReadWrite Chat.Read"
        person.open(link(world, app), press="Nothing")
        screen = person.page(link(world, app, scope=scope, prompt="consent"))
        assert "Read and write calendars" in screen.text
        assert "Words of the sandbox, not of Microsoft" in screen.text
        person.open(link(world, app, scope=scope))
        assert {"Calendars.ReadWrite", "Chat.Read"} <= world.scopes_of(app, person.id)
        refused = person.open(link(world, app, scope="openid IdentityRiskyUser.Read.All"))
        assert isinstance(refused, Screen)
        assert refused.headings == ["Need admin approval"]

    def test_the_page_says_permissions_in_words(self, world: World) -> None:
        app, person = world.app(name="<b>Odd & name</b>"), world.user()
        person.open(link(world, app), press="Nothing")
        screen = person.page(link(world, app, prompt="consent"))
        assert "Sign you in and read your profile" in screen.text
        assert "<b>Odd & name</b>" in screen.text


class TestAdminConsent:
    @pytest.fixture
    def app(self, world: World) -> App:
        wanted = world.requested(scopes=("User.Read", "Group.Read.All"), roles=("User.Read.All",))
        return world.app(requiredResourceAccess=wanted)

    def roles(self, world: World, app: App) -> int:
        return len(world.store.find("appRoleAssignment", principalId=app.principal["id"]))

    def test_everything_requested_is_granted_for_the_organization(
        self, world: World, app: App, administrator: Person
    ) -> None:
        back = values(administrator.open(consent_link(world, app)))
        assert back == {"admin_consent": "True", "tenant": world.tenant, "state": "s"}
        assert world.scopes_of(app) == {"User.Read", "Group.Read.All"}
        assert self.roles(world, app) == 1
        administrator.open(consent_link(world, app))
        assert self.roles(world, app) == 1

    def test_what_is_no_longer_requested_is_revoked(self, world: World, app: App, administrator: Person) -> None:
        world.consent(app, "User.Read", "Mail.Read")
        administrator.open(consent_link(world, app))
        assert world.scopes_of(app) == {"User.Read", "Group.Read.All"}

    def test_version_2_takes_single_scopes(self, world: World, app: App, administrator: Person) -> None:
        scope = "https://graph.microsoft.com/User.Read"
        back = values(administrator.open(consent_link(world, app, version="v2.0/", scope=scope)))
        assert back["scope"] == scope
        assert world.scopes_of(app) == {"User.Read"}
        assert self.roles(world, app) == 0

    def test_version_2_with_default_grants_app_roles(self, world: World, app: App, administrator: Person) -> None:
        scope = "https://graph.microsoft.com/.default"
        administrator.open(consent_link(world, app, version="v2.0/", scope=scope))
        assert self.roles(world, app) == 1

    def test_saying_no(self, world: World, app: App, administrator: Person) -> None:
        back = values(administrator.open(consent_link(world, app), press="Cancel"))
        assert (back["error"], back["admin_consent"], code_of(back)) == ("access_denied", "True", 65004)
        assert world.scopes_of(app) == set()

    def test_a_cloud_application_administrator_may_not_grant_roles_of_microsoft_graph(
        self, world: World, app: App, cloud_administrator: Person
    ) -> None:
        screen = cloud_administrator.open(consent_link(world, app))
        assert isinstance(screen, Screen)
        assert "AADSTS90094" in screen.alerts[0]
        delegated = world.app(requiredResourceAccess=world.requested(scopes=("Group.Read.All",)))
        assert "error" not in values(cloud_administrator.open(consent_link(world, delegated)))
        assert world.scopes_of(delegated) == {"Group.Read.All"}

    def test_a_plain_user_may_not(self, world: World, app: App, plain: Person) -> None:
        screen = plain.open(consent_link(world, app))
        assert isinstance(screen, Screen)
        assert "AADSTS90094" in screen.alerts[0]

    def test_without_redirect_uri_the_first_registered_one_is_taken(
        self, world: World, app: App, administrator: Person
    ) -> None:
        address = consent_link(world, app).replace(urlencode({"redirect_uri": CALLBACK}), "x=y")
        assert values(administrator.open(address))["admin_consent"] == "True"

    def test_an_application_without_redirect_uri_ends_on_a_page(self, world: World, administrator: Person) -> None:
        app = world.app(web={}, requiredResourceAccess=world.requested(scopes=("User.Read",)))
        address = f"{world.ready['pages']}/{world.tenant}/adminconsent?client_id={app.id}"
        end = administrator.open(address)
        assert isinstance(end, Screen)
        assert end.headings == ["Consent was given"]
        assert "admin_consent=True" in end.url


class TestRefusals:
    """What an application must not be told is shown to the person, on a page."""

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"client_id": str(uuid.uuid4())}, 700016),
            ({"client_id": ""}, 900144),
            ({"redirect_uri": "https://elsewhere.example/callback"}, 50011),
            ({"redirect_uri": CALLBACK + "/"}, 50011),
            ({"redirect_uri": CALLBACK.upper().replace("HTTP://LOCALHOST", "http://localhost")}, 50011),
            ({"tenant": "nowhere.example"}, 90002),
            ({"tenant": "common"}, 50194),
        ],
    )
    def test_a_request_that_cannot_be_trusted(
        self, world: World, plain: Person, change: dict[str, str], code: int
    ) -> None:
        assert trouble(plain.open(link(world, world.app(), **change))) == code

    def test_an_application_without_reply_address(self, world: World, plain: Person) -> None:
        assert trouble(plain.open(link(world, world.app(web={}), redirect_uri=""))) == 500113

    @pytest.mark.parametrize(
        ("change", "code", "error"),
        [
            ({"response_type": "token"}, 70005, "unsupported_response_type"),
            ({"response_type": ""}, 900144, "invalid_request"),
            ({"response_mode": "smoke"}, 9002313, "invalid_request"),
            ({"scope": ""}, 900144, "invalid_request"),
            ({"scope": "User.Read https://graph.microsoft.com/.default"}, 70011, "invalid_scope"),
            ({"scope": "User.Invent"}, 650053, "invalid_client"),
            ({"scope": "api://nothing/read"}, 500011, "invalid_resource"),
            ({"code_challenge_method": "S1"}, 9002313, "invalid_request"),
            ({"code_challenge": "short", "code_challenge_method": "S256"}, 501491, "invalid_request"),
            ({"code_challenge": "a" * 129, "code_challenge_method": "plain"}, 501491, "invalid_request"),
            ({"prompt": "perhaps"}, 90023, "invalid_request"),
        ],
    )
    def test_a_wrong_request_of_a_known_application_goes_back_to_it(
        self, world: World, plain: Person, change: dict[str, str], code: int, error: str
    ) -> None:
        back = values(plain.open(link(world, world.app(), **change)))
        assert (code_of(back), back["error"], back["state"]) == (code, error, "s")

    def test_a_single_page_application_needs_pkce(self, world: World, plain: Person) -> None:
        app = world.app(web={}, spa={"redirectUris": [CALLBACK]})
        assert code_of(values(plain.open(link(world, app)))) == 9002325

    def test_a_person_of_another_tenant(self, world: World) -> None:
        person = world.user(tenant=world.fabrikam)
        assert trouble(person.open(link(world, world.app()))) == 50020

    @pytest.mark.parametrize(("login", "password", "code"), [("", "wrong", 50126), ("no@contoso.com", "", 50034)])
    def test_wrong_credentials_stay_on_the_page(self, world: World, login: str, password: str, code: int) -> None:
        person = world.user()
        person.login, person.password = login or person.login, password or person.password
        screen = person.open(link(world, world.app()))
        assert isinstance(screen, Screen)
        assert (screen.status, screen.headings) == (400, ["Sign in"])
        assert trouble(screen) == code
        assert screen.forms[0].fields[0].value == person.login

    def test_a_person_who_is_not_assigned(self, world: World, plain: Person) -> None:
        app = world.app()
        world.change("servicePrincipal", app.principal["id"], appRoleAssignmentRequired=True)
        assert trouble(plain.open(link(world, app))) == 50105

    def test_where_assignment_is_required_people_do_not_consent_for_themselves(self, world: World) -> None:
        """learn.microsoft.com/entra/identity/enterprise-apps/assign-user-or-group-access-portal"""
        app, person = world.app(), world.user()
        world.change("servicePrincipal", app.principal["id"], appRoleAssignmentRequired=True)
        assignment = {"id": str(uuid.uuid4()), "principalId": person.id, "resourceId": app.principal["id"]}
        world.store.put("appRoleAssignment", {**assignment, "appRoleId": str(uuid.UUID(int=0))}, world.tenant)
        screen = person.open(link(world, app))
        assert isinstance(screen, Screen)
        assert screen.headings == ["Need admin approval"]
        assert world.scopes_of(app, person.id) == set()
        world.consent(app, "User.Read", "openid", "profile", "offline_access")
        assert "code" in values(person.open(link(world, app)))

    def test_conditional_access_asks_for_more_and_is_satisfied(self, world: World) -> None:
        app, person = world.app(), world.user()
        policy = {
            "id": str(uuid.uuid4()),
            "state": "enabled",
            "conditions": {"users": {"includeUsers": [person.id]}, "applications": {"includeApplications": ["All"]}},
            "grantControls": {"operator": "OR", "builtInControls": ["mfa", "compliantDevice"]},
        }
        world.store.put("conditionalAccessPolicy", policy, world.tenant)
        assert "code" in values(person.open(link(world, app)))
        assert person.seen == ["Sign in", "Verify your identity", "Permissions requested"]

    def test_prompt_none_never_shows_a_page(self, world: World) -> None:
        app, person = world.app(), world.user()
        silent = link(world, app, prompt="none")
        assert code_of(values(person.open(silent))) == 50058
        person.open(link(world, world.app()))
        assert code_of(values(person.open(silent))) == 65001
        person.open(link(world, app))
        assert "code" in values(person.open(silent))


def test_a_consent_is_in_the_audit_log_with_who_gave_it_for_whom(
    world: World, plain: Person, administrator: Person
) -> None:
    """learn.microsoft.com/entra/identity/monitoring-health/reference-audit-activities: Consent to application"""
    app = world.app(requiredResourceAccess=world.requested(scopes=("User.Read", "Group.Read.All")))
    plain.open(link(world, app))
    administrator.open(consent_link(world, app))
    told = [
        one
        for one in world.store.find("directoryAudit", world.tenant, activityDisplayName="Consent to application")
        if one["targetResources"][0]["id"] == app.principal["id"]
    ]
    assert [one["initiatedBy"]["user"]["id"] for one in told] == [plain.id, administrator.id]
    said = [
        {one["displayName"]: one["newValue"] for one in entry["targetResources"][0]["modifiedProperties"]}
        for entry in told
    ]
    assert [one["ConsentContext.OnBehalfOfAll"] for one in said] == ['"False"', '"True"']
    assert "Group.Read.All" in said[1]["ConsentAction.Permissions"]
    grants = [
        {one["displayName"]: one["newValue"] for one in entry["targetResources"][0]["modifiedProperties"]}
        for entry in world.store.find(
            "directoryAudit", world.tenant, activityDisplayName="Add delegated permission grant"
        )
        if entry["targetResources"][1]["id"] == app.principal["id"]
    ]
    kinds = [one["DelegatedPermissionGrant.ConsentType"] for one in grants]
    assert kinds == ['"Principal"', '"AllPrincipals"']
    assert grants[0]["User.ObjectID"] == f'"{plain.id}"'
