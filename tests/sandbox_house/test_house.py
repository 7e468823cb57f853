"""The emulator's own house: rooms from the ground floor to the roof, and no way round in a circle."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.arrows import Package

SANDBOX = Path(__file__).resolve().parents[2] / "sandbox" / "entra_sandbox"

# From the ground floor to the roof: a room uses what stands before it, and nothing after it.
ROOMS = (
    *(
        "errors",
        "facts",
        "tables",
        "store",
        "trail",
        "folder",
        "vault",
        "tls",
        "guard",
        "listeners",
        "services",
        "proxy",
    ),
    *("illnesses", "disguise", "states", "bodies", "faults", "entra", "graph", "stackone", "seed"),
    *("fault_effects", "control"),
    *("lease", "server", "browser", "attendant", "cli", "face", "__main__"),
)


@pytest.fixture(scope="module")
def house() -> Package:
    return Package(SANDBOX)


def test_every_room_has_its_place_and_every_arrow_goes_down(house: Package) -> None:
    assert house.rooms() == set(ROOMS)
    assert not house.against(ROOMS)


def test_no_files_go_round_in_a_circle(house: Package) -> None:
    assert not house.circle()


def test_it_knows_nothing_of_its_clients(house: Package) -> None:
    assert not house.foreign("runbook")


def test_a_resource_of_microsoft_graph_is_used_by_name_in_no_file_of_the_shared_behaviour(house: Package) -> None:
    shared = [name for name in house.arrows if name.startswith("entra_sandbox.graph.") and ".resources" not in name]
    uses = [(name, used) for name in shared for used in house.arrows[name]]
    assert shared
    assert not [pair for pair in uses if ".resources." in pair[1]]
