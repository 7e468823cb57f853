"""A fleet through the command: the same records, a restart that goes on, and what a person is told."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from runbook.records.verify import verify
from tests.browser.conftest import accessible, chromium  # noqa: F401 - a fixture
from tests.fleet.conftest import ONE_OF_EACH, Provider

SOME = ("--set", "secret_store=file", "--actions", "List Users")
NO_APPLICATION = "99999999-9999-4999-8999-999999999999"


def states(document: dict[str, Any]) -> dict[str, str]:
    return {each["tenant_id"]: each["state"] for each in document["tenants"]}


@pytest.fixture(scope="module")
def first(provider: Provider) -> dict[str, Any]:
    """The whole guide on three tenants."""
    table = provider.table("three.csv", 0, 1, 2, canary={1: "yes"})
    return provider.fleet("run", str(table), "--records", "three", "--workers", "2", *SOME)


def test_each_tenant_is_done_and_leaves_a_record_that_verifies(provider: Provider, first: dict[str, Any]) -> None:
    assert first["counts"] == {"done": 3}
    assert first["tenants"][0]["tenant_id"] == provider.tenants[1], "the canary goes first"
    for number, result in enumerate(
        sorted(first["tenants"], key=lambda each: provider.tenants.index(each["tenant_id"]))
    ):
        report = verify(Path(result["record"]))
        assert report.ok
        assert (report.tenant_id, report.verdict, report.signed) == (provider.tenants[number], "passed", True)
        assert result["said"].startswith("1 of 1 action proven")
        assert provider.made(number) == ONE_OF_EACH
    assert len({account["origin_owner_id"] for account in provider.store.find("stackone.account")}) == 3


def test_the_next_start_skips_what_is_finished_and_sends_nothing(
    provider: Provider, at: tuple[str, str], first: dict[str, Any]
) -> None:
    before, table = provider.gate.calls, provider.folder / "three.csv"
    again = provider.fleet("run", str(table), "--records", "three", *at, *SOME)
    assert again["counts"] == {"skipped": 3}
    assert {each["record"] for each in again["tenants"]} == {each["record"] for each in first["tenants"]}
    assert provider.gate.calls == before


def test_a_record_that_no_longer_holds_and_another_choice_are_done_again(
    provider: Provider, at: tuple[str, str], first: dict[str, Any]
) -> None:
    damaged = first["tenants"][2]
    summary = Path(damaged["record"]) / "summary.json"
    summary.write_text(summary.read_text().replace("passed", "Passed", 1))
    table = provider.table("other.csv", 0, 1, 2, secret_lifetime_days={1: "90"})
    done = provider.fleet("run", str(table), "--records", "three", *at, *SOME)
    expected = {0: "skipped", 1: "done", 2: "skipped"}
    expected[provider.tenants.index(damaged["tenant_id"])] = "done"
    assert states(done) == {provider.tenants[number]: state for number, state in expected.items()}


@pytest.mark.usefixtures("first")
def test_plan_and_status_look_at_all_and_rotate_makes_nothing_before_its_time(
    provider: Provider, at: tuple[str, str]
) -> None:
    table, records = str(provider.table("five.csv", 0, 3)), ("--records", "three", *at)
    done, new = (provider.tenants[number] for number in (0, 3))
    looked = provider.fleet("run", table, "--verb", "plan", *records, *SOME)
    planned = {each["tenant_id"]: each for each in looked["tenants"]}
    assert planned[done]["pending"] < planned[new]["pending"]
    assert planned[done]["plan_hash"] != planned[new]["plan_hash"]
    looked = provider.fleet("run", table, "--verb", "status", *records, *SOME, code=1)
    seen = {each["tenant_id"]: each for each in looked["tenants"]}
    assert (seen[done]["state"], seen[done]["said"], seen[done]["days_left"]) == ("done", "in order", 179)
    assert (seen[new]["state"], seen[new]["next"]) == ("failed", "run the guide: `runbook run`.")
    alone = str(provider.table("one.csv", 0))
    rotated = provider.fleet("run", alone, "--verb", "rotate", *records, *SOME)
    assert rotated["tenants"][0]["writes"] == 0
    assert provider.made(0) == ONE_OF_EACH


def test_the_report_is_one_page_without_a_script_and_a_table(provider: Provider, first: dict[str, Any]) -> None:
    written = provider.fleet("report", "three")["written"]
    page = Path(written[0]).read_text()
    rows = list(csv.DictReader(Path(written[1]).read_text().splitlines()))
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert {row["tenant_id"] for row in rows} >= {each["tenant_id"] for each in first["tenants"]}
    for row in rows:
        assert row["tenant_id"] in page
        if row["record"]:
            assert (provider.folder / "three" / row["record"]).is_file()
            assert f'href="{row["record"]}"' in page


def test_after_so_many_failures_and_after_a_failed_canary_none_is_begun(
    provider: Provider, at: tuple[str, str]
) -> None:
    wrong = dict.fromkeys((3, 4, 5), NO_APPLICATION)
    table = provider.table("wrong.csv", 3, 4, 5, 6, application_object_id=wrong)
    line = ("--records", "wrong", *at, "--sections", "1..2", *SOME)
    stopped = provider.fleet("run", str(table), "--stop-after", "2", *line, code=1)
    assert stopped["counts"] == {"failed": 2, "not begun": 2}
    assert all(NO_APPLICATION in each["said"] for each in stopped["tenants"])
    table = provider.table("canary.csv", 5, 6, application_object_id=wrong, canary={5: "yes"})
    assert provider.fleet("run", str(table), *line, code=1)["counts"] == {"failed": 1, "not begun": 1}
    assert provider.made(6)["application"] == 0


def test_records_go_whole_to_an_address_of_fsspec(provider: Provider, at: tuple[str, str]) -> None:
    table, place = str(provider.table("remote.csv", 3)), f"file://{provider.folder}/bucket"
    line = ("--records", place, *at, "--sections", "1..3", *SOME)
    done = provider.fleet("run", table, *line)
    assert done["counts"] == {"done": 1}
    assert done["tenants"][0]["record"].startswith(place)
    key = (provider.folder / "bucket.signing-key.pem").read_bytes()
    assert verify(Path(done["tenants"][0]["record"].removeprefix("file://")), public_key=key).expected
    assert provider.fleet("run", table, *line)["counts"] == {"skipped": 1}
    assert provider.fleet("report", place)["written"] == [f"{place}/fleet.html", f"{place}/fleet.csv"]


@pytest.mark.usefixtures("first")
def test_the_report_can_be_read_by_everybody_and_its_links_lead_to_records(
    provider: Provider,
    chromium: Browser,  # noqa: F811
) -> None:
    provider.fleet("report", "three")
    for width, scheme in product((1440, 390), ("light", "dark")):
        page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.goto((provider.folder / "three" / "fleet.html").as_uri())
        accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("link", name="record", exact=True).first.click()
    page.wait_for_url("**/report.html")
