"""How fast the sandbox lists many users.

Two states, one of 1,000 users and one of 100,000, are listed through the served https address in pages of 999 by one
client. Both are measured in turn in one run: the ratio of their users a second tells whether listing slows
down with size, whatever machine this is. ``load`` is the time to fill an empty state with that many users.
"""

from __future__ import annotations

import ssl
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from entra_sandbox.server import running
from entra_sandbox.store import Store

from benchmarks.harness import Claim, Table, alone

SMALL, LARGE = 1_000, 100_000


def user(number: int) -> dict[str, Any]:
    """A user with the properties that a list shows."""
    name = f"Benchmark {number}"
    return {
        "id": str(uuid.uuid4()),
        "accountEnabled": True,
        "businessPhones": [],
        "displayName": name,
        "givenName": "Benchmark",
        "jobTitle": "Engineer",
        "mail": f"benchmark{number}@contoso.com",
        "surname": str(number),
        "userPrincipalName": f"benchmark{number}@contoso.com",
    }


class Served:
    """A served state with ``users`` users; :attr:`load` is how many seconds it took to put them in."""

    def __init__(self, folder: Path, users: int, stack: ExitStack) -> None:
        state = folder / f"{users}.sqlite3"
        ready = stack.enter_context(running(state))
        store = Store(state)
        present = store.count("user", ready["tenant_id"])
        started = time.perf_counter()
        store.put_many("user", (user(number) for number in range(users - present)), ready["tenant_id"])
        self.load = time.perf_counter() - started
        self.users = store.count("user", ready["tenant_id"])
        store.close()
        context = ssl.create_default_context(cafile=ready["ca_file"])
        self._http = stack.enter_context(httpx.Client(verify=context, trust_env=False, timeout=120))
        form = {
            "grant_type": "client_credentials",
            "client_id": ready["client_id"],
            "client_secret": Path(ready["client_secret_file"]).read_text(encoding="utf-8"),
            "scope": "https://graph.microsoft.com/.default",
        }
        answer = self._http.post(f"{ready['authority']}/{ready['tenant_id']}/oauth2/v2.0/token", data=form)
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        self._first = f"{ready['graph']}/v1.0/users?$top=999"

    def pages(self) -> Iterator[list[Any]]:
        """Every page of the list."""
        address = self._first
        while address:
            body = self._http.get(address).raise_for_status().json()
            yield body["value"]
            address = body.get("@odata.nextLink", "")

    def rate(self) -> float:
        """Users a second of one whole listing."""
        started = time.perf_counter()
        seen = sum(len(page) for page in self.pages())
        spent = time.perf_counter() - started
        if seen != self.users:
            raise SystemExit(f"{seen} of {self.users} users were listed")
        return seen / spent


def measure(rounds: int, small: bool) -> Table:
    """Users a second of both, best of the rounds: what else runs can only make it slower."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        few, many = (Served(folder, users, stack) for users in (SMALL, 5_000 if small else LARGE))
        few.rate()  # the first listing also loads modules
        rates = [(few.rate(), many.rate()) for _ in range(rounds)]
    best = [max(column) for column in zip(*rates, strict=True)]
    rows = [(f"{served.users:,} users", served.load, rate) for served, rate in zip((few, many), best, strict=True)]
    ratio = Claim("users a second of the large state beside the small", best[1] / best[0], at_least=0.7)
    return Table(("state", "load s", "users/s"), rows, "users/s", (ratio,))


if __name__ == "__main__":
    alone(measure)
