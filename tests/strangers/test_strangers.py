"""Each client does what its users do with it, unmodified: Node and Python relying parties, Graph scripts, Apache."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.identity import ClientSecretCredential
from msgraph import GraphServiceClient
from msgraph.generated.models.group import Group
from msgraph.generated.models.reference_create import ReferenceCreate
from msgraph_core.tasks.page_iterator import PageIterator

from tests.sandbox_entra.conftest import CALLBACK, App, Person, World
from tests.strangers.conftest import Talk

Told = Callable[[App], Path]
_MODULES = Path("/usr/lib/apache2/modules")


@pytest.fixture
def website(world: World) -> App:
    """A web application to which people consented."""
    app = world.app(name="Website of a stranger")
    world.consent(app, "User.Read", "openid", "profile", "email", "offline_access")
    return app


def signed_in(talk: Talk, program: str, file: Path, person: Person) -> dict[str, Any]:
    """What a relying party says of a person who went to the address that it printed and came back."""
    with talk(program, file) as website:
        back = person.open(website.hear())
        assert isinstance(back, str)
        assert back.startswith(CALLBACK)
        website.say(back)
        found: dict[str, Any] = json.loads(website.hear())
        return found


def test_msal_for_node_and_microsofts_graph_client(world: World, node: Talk, told: Told) -> None:
    app = world.app()
    world.assign(app, "User.Read.All", "Group.ReadWrite.All", "GroupMember.ReadWrite.All")
    with node("graph_tools.mjs", told(app)) as script:
        found = json.loads(script.hear())
    assert found["people"] >= 300
    assert (found["added"], found["gone"]) == (True, "Request_ResourceNotFound")


def test_the_readmes_example_for_msal_and_the_graph_client_for_node(
    world: World, node_folder: Path, tmp_path: Path
) -> None:
    readme = (Path(__file__).parents[2] / "sandbox" / "README.md").read_text(encoding="utf-8")
    _, _, below = readme.partition("### JavaScript: msal and Microsoft's Graph client\n")
    code = below.split("```js\n")[1].split("```")[0]
    (tmp_path / "ready.json").write_text(json.dumps(world.ready))
    (tmp_path / "tenant.mjs").write_text(code)
    (tmp_path / "node_modules").symlink_to(node_folder / "node_modules")
    done = subprocess.run(
        ["node", "tenant.mjs"],
        cwd=tmp_path,
        env={**os.environ, "NODE_EXTRA_CA_CERTS": world.ready["ca_file"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "Contoso"), done.stderr


def test_azure_identity_and_the_graph_sdk_for_python(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same job as the script for Node, through Microsoft's other libraries."""
    app = world.app()
    world.assign(app, "User.Read.All", "Group.ReadWrite.All", "GroupMember.ReadWrite.All", "AuditLog.Read.All")
    options = {"disable_instance_discovery": True, "connection_verify": world.ready["ca_file"]}
    credential = ClientSecretCredential(world.tenant, app.id, app.secret, authority=world.base, **options)
    monkeypatch.setenv("SSL_CERT_FILE", world.ready["ca_file"])
    people, members, told = asyncio.run(graph_tools(credential, world))
    assert people >= 300
    assert members == 1
    assert told[:3] == ["Delete group", "Add member to group", "Add group"]


async def graph_tools(credential: ClientSecretCredential, world: World) -> tuple[int, int, list[str]]:
    """How many people there are, how many members a new group got, and what the audit log says of it."""
    client = GraphServiceClient(credential, scopes=[f"{world.ready['graph']}/.default"])
    client.request_adapter.base_url = f"{world.ready['graph']}/v1.0"
    people: list[Any] = []
    page = await client.users.get()
    await PageIterator(page, client.request_adapter).iterate(lambda one: people.append(one) or True)
    name = f"strangers-{uuid.uuid4()}"
    wanted = Group(display_name=name, mail_nickname=name, mail_enabled=False, security_enabled=True)
    group = await client.groups.post(wanted)
    one = ReferenceCreate(odata_id=f"{world.ready['graph']}/v1.0/directoryObjects/{people[0].id}")
    await client.groups.by_group_id(group.id).members.ref.post(one)
    members = await client.groups.by_group_id(group.id).members.get()
    await client.groups.by_group_id(group.id).delete()
    audits = await client.audit_logs.directory_audits.get()
    told = [entry.activity_display_name for entry in audits.value if entry.target_resources[-1].id == group.id]
    return len(people), len(members.value), told


def test_openid_client_for_node_signs_a_person_in(website: App, node: Talk, told: Told, plain: Person) -> None:
    found = signed_in(node, "relying_party.mjs", told(website), plain)
    assert found == {"name": plain.login, "same": True, "again": True}


def test_authlib_signs_a_person_in(website: App, python: Talk, told: Told, plain: Person) -> None:
    found = signed_in(python, "relying_party.py", told(website), plain)
    assert found == {"name": plain.login, "same": True, "again": True}


@pytest.fixture
def apache(world: World, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Apache with mod_auth_openidc before a page: its address and the log of who saw it."""
    program = shutil.which("apache2")
    if program is None or not (_MODULES / "mod_auth_openidc.so").exists():
        pytest.skip("Apache's mod_auth_openidc is not here: apt-get install apache2-bin libapache2-mod-auth-openidc")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    base = f"http://localhost:{port}"
    app = world.app(web={"redirectUris": [f"{base}/app/back"]})
    world.consent(app, "openid", "profile", "email")
    loaded = [
        f"LoadModule {name}_module {_MODULES}/mod_{name}.so"
        for name in ("mpm_event", "authn_core", "authz_core", "authz_user", "status", "auth_openidc")
    ]
    config = f"""
ServerRoot {tmp_path}
ServerName localhost
PidFile {tmp_path}/pid
Listen 127.0.0.1:{port}
ErrorLog {tmp_path}/error.log
LogFormat "%s %u" seen
CustomLog {tmp_path}/access.log seen
DocumentRoot /usr/share
OIDCProviderMetadataURL {world.authority()}/v2.0/.well-known/openid-configuration
OIDCClientID {app.id}
OIDCClientSecret {app.secret}
OIDCRedirectURI {base}/app/back
OIDCCryptoPassphrase {"x" * 32}
OIDCScope "openid profile email"
OIDCPKCEMethod S256
OIDCRemoteUserClaim preferred_username
OIDCCABundlePath {world.ready["ca_file"]}
<Location /app>
  SetHandler server-status
  AuthType openid-connect
  Require valid-user
</Location>
"""
    file = tmp_path / "apache.conf"
    file.touch(mode=0o600)
    file.write_text("\n".join([*loaded, config]))
    process = subprocess.Popen(
        [program, "-X", "-f", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        _wait(port, process)
        yield base, tmp_path
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _wait(port: int, process: subprocess.Popen[str]) -> None:
    """Until Apache takes connections."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            assert process.poll() is None, process.communicate()[1]
        else:
            return


def test_mod_auth_openidc_keeps_a_page_for_people_who_signed_in(apache: tuple[str, Path], world: World) -> None:
    base, folder = apache
    person = world.user()
    back = person.open(f"{base}/app/", outside=f"{base}/app/back")
    assert isinstance(back, str), (folder / "error.log").read_text()
    page = person.open(back, outside="nowhere:")
    assert not isinstance(page, str)
    assert page.title == "Apache Status", (folder / "error.log").read_text()
    log = folder / "access.log"
    while log.read_text().count("\n") < 3:  # httpd writes a line after its answer: twice on the way, and the page
        threading.Event().wait(0.01)
    assert f"200 {person.login}" in log.read_text().splitlines()
