"""Each action called by its own typed call, over TLS, with a token that holds exactly the permissions computed for it.

The token is minted with the sandbox's own key, because no tenant would grant one action's permissions alone so often.
Whoever signs in is Global Administrator, so that the permission decides and not the role.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from entra_sandbox.folder import Folder
from entra_sandbox.server import running
from entra_sandbox.services import Addresses, Services
from entra_sandbox.store import Store
from entra_sandbox.vault import Vault

from runbook import actions as calls
from runbook import catalog
from runbook.catalog import Action, PermissionType
from runbook.clients import retry
from runbook.clients.calls import FixedToken
from runbook.clients.graph import GraphClient
from runbook.errors import GraphError
from runbook.parameters import parse
from runbook.proof.recipes import fill, recipes
from runbook.proof.workshop import Workshop
from runbook.secrets import Secret
from runbook.tenant.base import Context, open_context
from tests.sandbox_graph.conftest import World

DENIED = {"Authorization_RequestDenied", "AccessDenied"}
NOT_PROVEN = {"verify_domain": (400,)}
"""Answers that come after the permission was enough: nobody owns the DNS of a disposable domain."""
KINDS: tuple[PermissionType, ...] = ("delegated", "application")


@dataclass
class Bench:
    """A tenant with an application of our own, objects to work on, and tokens that hold what one likes."""

    world: World
    ctx: Context
    shop: Workshop
    principal: dict[str, Any]
    _stack: ExitStack
    _clients: dict[tuple[PermissionType, frozenset[str]], GraphClient] = field(default_factory=dict)

    def client(self, kind: PermissionType, names: frozenset[str]) -> GraphClient:
        """A client whose token holds exactly these permissions."""
        if (kind, names) not in self._clients:
            token = Secret(self.world.mint(**self._claims(kind, sorted(names))))
            client = GraphClient(self.ctx.target, FixedToken(token))
            self._clients[(kind, names)] = self._stack.enter_context(client)
        return self._clients[(kind, names)]

    def _claims(self, kind: PermissionType, names: list[str]) -> dict[str, Any]:
        common = {"appid": self.principal["appId"]}
        if kind == "application":
            return {**common, "idtyp": "app", "oid": self.principal["id"], "roles": names}
        upn, person = next(
            (upn, self.world.user(upn))
            for upn, one in self.world.ready["users"].items()
            if "Global Administrator" in one["roles"]
        )
        wids = ["b79fbf4d-3ef9-4689-8143-76b194e85509", "62e90394-69f5-4237-9190-012177145e10"]
        return {**common, "idtyp": "user", "oid": person["id"], "upn": upn, "scp": " ".join(names), "wids": wids}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    home = tmp_path_factory.mktemp("home")
    state = home / "sandbox.sqlite3"
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        ready = stack.enter_context(running(state))
        store, folder = Store(state), Folder(state)
        stack.callback(store.close)
        addresses = Addresses(ready["graph"], ready["pages"])
        services = Services(store, Vault(folder), folder, addresses, folder.file("ca.pem"))
        context = ssl.create_default_context(cafile=ready["ca_file"])
        http = stack.enter_context(httpx.Client(base_url=ready["graph"], verify=context, trust_env=False))
        world = World(ready, services, http)
        file = home / "ready.json"
        file.write_text(json.dumps(ready))
        ctx = stack.enter_context(open_context(parse({"sandbox_file": str(file), "secret_store": "file"})))
        yield _equipped(world, ctx, stack)


def _equipped(world: World, ctx: Context, stack: ExitStack) -> Bench:
    application = ctx.graph.post("/applications", {"displayName": "By call", "signInAudience": "AzureADMyOrg"}) or {}
    principal = ctx.graph.post("/servicePrincipals", {"appId": application["appId"]}, fresh=True) or {}
    always = {"application": application, "principal": principal, "graph_principal": world.microsoft_graph()}
    return Bench(world, ctx, Workshop(ctx, always, owner=principal["id"]), principal, stack)


def sets(action: Action, kind: PermissionType) -> set[frozenset[str]]:
    """What is computed for the action alone, from either source."""
    computed = (catalog.compute([action.slug], [kind], source).of(kind).names for source in ("guide", "least"))
    return {frozenset(names) for names in computed}


def run(action: Action, client: GraphClient, arguments: dict[str, Any]) -> Any:
    """The action's own call, the objects of its answer read; objects just made may need a moment."""

    def passes(error: Exception) -> bool:
        return isinstance(error, GraphError) and error.status != 403 and retry.transient(error) is not None

    for attempt in retry.attempts(client.pace, passes):
        with attempt:
            try:
                answer = calls.call(client, action.slug, **arguments)
                return list(answer.items()) if action.effect == "read" else answer.first.body
            except GraphError as error:
                if error.status in NOT_PROVEN.get(action.slug, ()):
                    return None
                raise
    raise AssertionError("the attempts end by returning or raising")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action", catalog.actions(), ids=lambda action: action.slug)
def test_an_action_works_with_exactly_its_permissions_and_with_none_less(
    action: Action, kind: PermissionType, bench: Bench
) -> None:
    access, probe = action.access(kind), recipes().probes[action.slug]
    spec = recipes().made.get(probe.makes)
    assert access.supported
    for names in sets(action, kind):
        assert names
        owned = "Application.ReadWrite.OwnedBy" in names
        with bench.shop.bench({**(spec.needs if spec else {}), **probe.needs}, owned=owned) as (values, made):
            template = probe.body if probe.body is not None else (spec.body if spec else None)
            arguments = {
                "path": {name: str(fill(text, values)) for name, text in probe.path.items()},
                "query": dict(probe.query),
                "body": fill(template, values) if template is not None else None,
            }
            for missing in names:
                rest = names - {missing}
                if any(set(one) <= rest for one in access.alternatives):
                    continue  # another documented set is left, so Graph lets it pass
                with pytest.raises(GraphError) as refused:
                    run(action, bench.client(kind, rest), arguments)
                assert (refused.value.status, refused.value.code in DENIED) == (403, True), refused.value
            answer = run(action, bench.client(kind, names), arguments)
            if probe.makes:
                bench.shop.note(probe.makes, answer, values, made)
            if action.effect == "read" and not action.is_list:
                assert answer[0]["id"]
