"""A whole directory into a pandas table, beside msgraph-sdk's page iterator.

In each round both read all users in pages of 999, in turn, each in a process of its own; of 100,000 users msgraph-sdk
takes minutes. Time is from the first request to the table. Memory is how far the resident set of the process grew at
its peak above what it was before the first request, beside what the table itself holds. Then the runbook alone, every
page 0.3 s on its way, as pages of a real tenant are: the parts read at once beside one page after the other.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness import Claim, Table, alone

USERS = (1_000, 10_000, 100_000)
GIVEN = (
    *("Ada", "Bo", "Chen", "Dana", "Eli", "Femi", "Grace", "Hugo", "Ines", "Jonas", "Kira", "Lars"),
    *("Mina", "Noor", "Omar", "Pia", "Quin", "Rosa", "Sami", "Tara", "Uma", "Vera", "Wim", "9"),
)
PROPERTIES = (
    *("id", "businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation"),
    *("preferredLanguage", "surname", "userPrincipalName"),
)
SLOW = 0.3


def ours(_ready: dict[str, Any], file: str) -> Any:
    """The table as the runbook makes it."""
    import runbook

    with runbook.connect(runbook.choose({"sandbox_file": file})) as tenant:
        next(tenant.graph.list("/organization"))  # signed in and connected, as the other is
        return measured(lambda: runbook.call(tenant.graph, "List Users", frame=True))


def one_by_one(ready: dict[str, Any], file: str) -> Any:
    """The same, one page after the other."""
    from runbook.actions import AtGraph

    AtGraph.readers = 1
    return ours(ready, file)


def theirs(ready: dict[str, Any], _file: str) -> Any:
    """The table from msgraph-sdk's page iterator, its objects read as they come."""
    os.environ |= {"SSL_CERT_FILE": ready["ca_file"], "REQUESTS_CA_BUNDLE": ready["ca_file"]}
    import pandas as pd
    from azure.identity import ClientSecretCredential
    from kiota_abstractions.base_request_configuration import RequestConfiguration
    from msgraph import GraphServiceClient
    from msgraph.generated.users.users_request_builder import UsersRequestBuilder
    from msgraph_core.tasks.page_iterator import PageIterator

    credential = ClientSecretCredential(
        ready["tenant_id"],
        ready["client_id"],
        Path(ready["client_secret_file"]).read_text(encoding="utf-8"),
        authority=ready["authority"],
        disable_instance_discovery=True,
    )
    client = GraphServiceClient(credential, scopes=[f"{ready['graph']}/.default"])
    client.request_adapter.base_url = f"{ready['graph']}/v1.0"
    names = {name: "".join("_" * c.isupper() + c.lower() for c in name) for name in PROPERTIES}
    asked = RequestConfiguration(query_parameters=UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(top=999))

    async def read() -> pd.DataFrame:
        rows: list[dict[str, Any]] = []

        def take(user: Any) -> bool:
            rows.append({name: getattr(user, attribute) for name, attribute in names.items()})
            return True

        page = await client.users.get(request_configuration=asked)
        await PageIterator(page, client.request_adapter).iterate(take)
        return pd.DataFrame(rows)

    with asyncio.Runner() as runner:
        runner.run(client.organization.get())
        return measured(lambda: runner.run(read()))


def measured(read: Callable[[], Any]) -> dict[str, float]:
    """Run ``read``, which gives a table: seconds, and bytes of its peak above the beginning and of the table."""
    import pandas as pd

    pd.DataFrame({"warm": ["up"]})
    base, cpu, began = _resident(), time.process_time(), time.perf_counter()
    table = read()
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"wall": wall, "cpu": cpu, "rows": len(table), "peak": peak - base, "own": _own(table)}


def _resident() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _own(table: Any) -> int:
    return int(table.memory_usage(deep=True).sum())


READERS = {"runbook": ours, "msgraph-sdk": theirs, "one by one": one_by_one}


def people(count: int) -> Iterator[dict[str, Any]]:
    """So many users as a directory has them, their names over the whole alphabet."""
    import uuid

    for number in range(count):
        name = GIVEN[number % len(GIVEN)]
        address = f"{name.lower()}.{number}@contoso.com"
        yield {
            **dict.fromkeys(PROPERTIES),
            "id": str(uuid.UUID(int=number + 1)),
            "accountEnabled": True,
            "businessPhones": [],
            "displayName": f"{name} {number}",
            "givenName": name,
            "jobTitle": "Engineer",
            "mail": address,
            "surname": str(number),
            "userPrincipalName": address,
        }


@contextmanager
def served(folder: Path, users: int, *, slow: bool = False) -> Iterator[Path]:
    """A sandbox with so many users, ``slow`` or not; the file that says how to reach it."""
    from entra_sandbox.server import running
    from entra_sandbox.store import Store

    state, faults = folder / f"{users}.sqlite3", folder / "faults.json"
    match = {"service": "graph", "method": "GET", "path": "/v1.0/users*"}
    faults.write_text(json.dumps({"seed": 1, "illnesses": [{"kind": "slow", "seconds": [SLOW, SLOW], "match": match}]}))
    with running(state, faults=faults if slow else None) as ready:
        store = Store(state)
        present = store.count("user", ready["tenant_id"])
        store.put_many("user", people(users - present), ready["tenant_id"])
        store.close()
        file = folder / f"{users}.json"
        file.write_text(json.dumps(ready), encoding="utf-8")
        yield file


def read(reader: str, file: Path) -> dict[str, float]:
    """One reading in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.frames", "--read", reader, str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def compared(file: Path, readers: tuple[str, str], rounds: int) -> dict[str, dict[str, float]]:
    """Medians of each reader's figures, both measured in turn."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in readers}
    for _ in range(rounds):
        for name in readers:
            found[name].append(read(name, file))
    return {
        name: {figure: statistics.median(one[figure] for one in each) for figure in each[0]}
        for name, each in found.items()
    }


def measure(rounds: int, small: bool) -> Table:
    """Each size, then the largest behind a slow line."""
    sizes, rounds = (USERS[:1], 1) if small else (USERS, rounds)
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for users in sizes:
            with served(Path(temporary), users) as file:
                found |= named(users, compared(file, ("runbook", "msgraph-sdk"), rounds))
        with served(Path(temporary), sizes[-1], slow=True) as file:
            found |= named(sizes[-1], compared(file, ("runbook", "one by one"), rounds), f", {SLOW} s a page")
    most = f"{sizes[-1]:,} users"
    ours, other = found[f"{most}, runbook"], found[f"{most}, msgraph-sdk"]
    parted, whole = (found[f"{most}, {how}, {SLOW} s a page"] for how in ("runbook", "one by one"))
    return Table(
        ("reading", "wall s", "CPU s", "peak MB", "table MB", "peak ÷ table"),
        [
            (name, one["wall"], one["cpu"], one["peak"] / 1e6, one["own"] / 1e6, one["peak"] / one["own"])
            for name, one in found.items()
        ],
        "wall s",
        (
            Claim(f"times as fast as msgraph-sdk, {most}", other["wall"] / ours["wall"], at_least=5),
            Claim(f"peak ÷ table, {most}", ours["peak"] / ours["own"], at_most=2),
            Claim(f"times as fast by parts, {SLOW} s a page, {most}", whole["wall"] / parted["wall"], at_least=2),
        ),
    )


def named(users: int, found: dict[str, dict[str, float]], how: str = "") -> dict[str, dict[str, float]]:
    """The figures by what the table calls them."""
    for name, one in found.items():
        if one["rows"] != users:
            raise SystemExit(f"{name} read {one['rows']} of {users} users")
    return {f"{users:,} users, {name}{how}": one for name, one in found.items()}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        reader, ready_file = sys.argv[2:]
        print(json.dumps(READERS[reader](json.loads(Path(ready_file).read_text(encoding="utf-8")), ready_file)))
    else:
        alone(measure)
