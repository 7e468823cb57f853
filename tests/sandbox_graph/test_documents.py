"""The page about Microsoft Graph in the sandbox names every address that is served, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from entra_sandbox.graph.resources import RESOURCES
from entra_sandbox.graph.routing import Router

PAGE = Path(__file__).parents[2] / "docs" / "sandbox" / "graph.md"
ROW = re.compile(r"^\| `(/[^`]+)` \|([^|]*)\| ([^|]+) \|$", re.MULTILINE)
SUFFIX = re.compile(r"/(\$count|\$ref)\Z")

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the documents are not beside the tests")


def test_the_table_lists_exactly_the_addresses_that_are_served() -> None:
    listed: set[str] = set()
    heads: set[str] = set()
    for address, below, _ in ROW.findall(PAGE.read_text(encoding="utf-8")):
        names = re.findall(r"`([^`]+)`", below)
        (heads if names else listed).add(address.lower())
        listed.update(re.sub(r"\{\w+\}", "{}", f"{address}/{one}").lower() for one in names)
    served = {name.split(" ", 1)[1] for name in Router(RESOURCES).names()}
    served = {SUFFIX.sub("", path) for path in served} | {"/$batch"}
    # A relationship whose single objects are reached through /$ref alone has no address of its own for them.
    served -= {
        path
        for path in served
        if re.search(r"/\{\}/(owners|manager|appmanagementpolicies|registered(owners|users))/\{\}\Z", path)
    }
    # Some addresses, such as /directoryObjects, only hold others.
    assert listed == served - heads
    assert heads & served


def test_each_address_names_its_document() -> None:
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert rows
    assert all(re.fullmatch(r"[a-z/.\-0-9, ]+", document) for _, _, document in rows)
