"""Buttons, the watch for a person's act, and the page that shows a secret once."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from runbook.secrets import Secret
from runbook.widgets.apply_button import ApplyButton, Offer, Question, Watch
from runbook.widgets.one_time_page import offer


def test_nothing_happens_before_the_button_is_pressed_and_offers_follow_the_state() -> None:
    pressed: list[str] = []

    def press() -> str:
        assert all(button.disabled for button in apply.layout.children[:-1])
        pressed.append("apply")
        return "Done"

    def offers() -> list[Offer]:
        return [Offer("Check again" if pressed else "Apply", press)]

    apply = ApplyButton(offers, "2 added")
    (button, _) = apply.layout.children
    assert (pressed, button.description) == ([], "Apply")
    button.click()
    assert (pressed, apply.layout.children[0].description, apply.value) == (["apply"], "Check again", "Done")
    assert not apply.layout.children[0].disabled


def test_a_second_press_while_one_is_at_work_and_a_click_on_a_button_that_is_gone_do_nothing() -> None:
    began, go_on, pressed = threading.Event(), threading.Event(), list[str]()

    def press() -> str:
        pressed.append("apply")
        began.set()
        assert go_on.wait(20)
        return "Done"

    apply = ApplyButton(lambda: [Offer("Apply", press)])
    button = apply.layout.children[0]
    with ThreadPoolExecutor(1) as other:
        first = other.submit(button.click)
        assert began.wait(20)
        button.click()
        go_on.set()
        first.result()
    button.click()
    assert pressed == ["apply"]
    apply.layout.children[0].click()
    assert pressed == ["apply", "apply"]


@pytest.mark.parametrize("name", ["", "Contoso"])
def test_a_removal_waits_for_one_click_more_or_for_the_typed_name_also_of_what_comes_up_meanwhile(name: str) -> None:
    found, agreed, removed = ["secret"], set[str](), list[str]()

    def asks() -> Question | None:
        new = {*found} - agreed
        return Question(f"This removes {', '.join(new)}.", name, lambda: agreed.update(new)) if new else None

    def press() -> str:
        removed.extend(found)
        return "Done"

    apply = ApplyButton(lambda: [Offer("Apply", press, asks)])

    def click(label: str, typed: str = "") -> str:
        if typed and name:
            apply.layout.children[1].value = typed
        next(each for each in apply.layout.children if getattr(each, "description", "") == label).click()
        return apply.value

    assert click("Apply") == "This removes secret."
    assert apply.text() == "[Apply] This removes secret."
    assert click("Apply") == "This removes secret.", "the second click of a double click is no answer"
    assert click("Keep everything") == "nothing was removed."
    assert click("Apply") == "This removes secret."
    if name:
        assert click("Remove", "contoso") == "That is not the tenant's name, Contoso; nothing was removed."
    found.append("grant")
    assert click("Remove", " Contoso ") == "This removes grant."
    assert removed == []
    assert click("Remove", "Contoso") == "Done"
    assert removed == ["secret", "grant"]
    assert [one.description for one in apply.layout.children if getattr(one, "description", "")] == ["Apply"]


def test_watch_goes_on_once_when_something_changed() -> None:
    looks, went, left = iter([False, False, True]), [], []

    async def scene() -> None:
        done = asyncio.Event()

        def then() -> None:
            went.append(True)
            done.set()

        Watch(lambda: next(looks), then, left.append, 60, 0).start()
        await done.wait()

    asyncio.run(scene())
    assert went == [True]
    assert left[0] in (59, 60)


def test_watch_that_was_stopped_looks_no_more() -> None:
    looks: list[bool] = []

    async def scene() -> None:
        watch = Watch(lambda: bool(looks.append(True)), lambda: None, lambda _left: None, 60, 0)
        watch.start()
        watch.stop()
        for _ in range(3):
            await asyncio.sleep(0)

    asyncio.run(scene())
    assert looks == []


def test_secret_is_shown_once_and_only_when_asked_for() -> None:
    fetched: list[str] = []

    def fetch() -> Secret:
        fetched.append("x")
        return Secret("s3cr3t-<value>")

    address = offer(lambda: {"Client secret": fetch()})
    assert "s3cr3t" not in httpx.get(address).text
    assert fetched == []
    wrong = address.rsplit("/", 1)[0] + "/guess"
    assert "s3cr3t" not in httpx.post(wrong).text
    shown = httpx.post(address)
    assert 'value="s3cr3t-&lt;value&gt;"' in shown.text
    assert shown.headers["Cache-Control"] == "no-store"
    assert fetched == ["x"]


def test_secret_page_binds_to_loopback_only() -> None:
    assert offer(dict).startswith("http://127.0.0.1:")
