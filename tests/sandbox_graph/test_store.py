"""The store keeps whole documents, or nothing."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from entra_sandbox.store import Store, UnsafeStateFile


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "state.sqlite3")
    yield opened
    opened.close()


def test_documents_are_found_by_id_and_by_value_in_any_casing(store: Store) -> None:
    store.put("user", {"id": "A1", "userPrincipalName": "Ada@contoso.com", "accountEnabled": True}, "t")
    assert store.get("user", "a1") == {"id": "A1", "userPrincipalName": "Ada@contoso.com", "accountEnabled": True}
    assert store.first("user", "t", userPrincipalName="ada@CONTOSO.com", accountEnabled=True)
    assert store.first("user", "t", accountEnabled=False) is None
    assert store.first("user", "other", userPrincipalName="ada@contoso.com") is None


def test_an_open_transaction_is_taken_back_as_a_whole(store: Store) -> None:
    def interrupted() -> None:
        with store.transaction():
            store.put("user", {"id": "1"})
            with store.transaction():
                store.link("group.members", "g", "1")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        interrupted()
    assert store.get("user", "1") is None
    assert store.links("group.members", "g") == []


def test_writers_take_turns(store: Store) -> None:
    store.put("counter", {"id": "c", "n": 0})

    def count() -> None:
        for _ in range(50):
            with store.transaction():
                store.update("counter", "c", {"n": (store.get("counter", "c") or {})["n"] + 1})

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("counter", "c") == {"id": "c", "n": 200}


def test_pages_go_on_where_the_last_one_ended(store: Store) -> None:
    store.put_many("user", ({"id": str(number)} for number in range(25)), "t")
    seen: list[str] = []
    last = 0
    while rows := store.rows("user", "t", limit=10, after=last):
        seen += [row.id for row in rows]
        last = rows[-1].seq
    assert seen == [str(number) for number in range(25)]


def test_the_bin_hides_and_gives_back(store: Store) -> None:
    store.put("user", {"id": "1"}, "t")
    store.link("group.members", "g", "1")
    store.bury("user", "1", {"deletedDateTime": "now"})
    assert store.get("user", "1") is None
    assert store.get("user", "1", deleted=True) == {"id": "1", "deletedDateTime": "now"}
    store.exhume("user", "1", {"deletedDateTime": None})
    assert store.get("user", "1") == {"id": "1", "deletedDateTime": None}
    assert store.links("group.members", "g") == ["1"]
    store.delete("user", "1")
    assert store.links("group.members", "g") == [], "links go with the object"


def test_what_is_not_visible_yet_is_hidden_from_those_who_ask_by_time(store: Store) -> None:
    store.put("user", {"id": "1"}, "t", read_from=100.0)
    assert [row.id for row in store.rows("user", "t", at=99.0)] == []
    assert [row.id for row in store.rows("user", "t", at=100.0)] == ["1"]
    store.put("user", {"id": "1", "x": 1}, "t")
    assert [row.id for row in store.rows("user", "t", at=99.0)] == [], "an update does not make it visible"


def test_the_state_is_the_owner_s_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    Store(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(UnsafeStateFile, match="0644"):
        Store(path)


def test_it_is_there_again_when_it_is_opened_again(tmp_path: Path) -> None:
    first = Store(tmp_path / "s")
    first.put("user", {"id": "1", "name": "Zoë"})
    first.set_setting("x", {"a": [1]})
    first.shift_clock(60)
    first.close()
    again = Store(tmp_path / "s", clock=lambda: 1000.0)
    assert again.get("user", "1") == {"id": "1", "name": "Zoë"}
    assert again.setting("x") == {"a": [1]}
    assert again.now() == 1060.0
    again.close()


def test_names_that_could_be_sql_are_refused(store: Store) -> None:
    for name in ("a b", "a'", 'a"', "", "1a"):
        with pytest.raises(ValueError, match="not a name"):
            store.find("user", **{name: 1})


def test_alternate_keys_are_looked_up_by_index(store: Store) -> None:
    plan = store._connection().execute(
        "EXPLAIN QUERY PLAN SELECT 1 FROM object o WHERE o.kind = 'user' AND o.deleted = 0 AND o.tenant = 't' "
        "AND (o.doc ->> '$.\"userPrincipalName\"') COLLATE NOCASE IS 'x' ORDER BY o.seq"
    )
    assert "user_userPrincipalName" in str(plan.fetchall())


def test_ids_lead_to_objects_of_microsoft_graph_only(store: Store) -> None:
    store.put("user", {"id": "1"}, "t")
    store.put("entra.password", {"id": "1"})
    assert store.resolve(["1"])["1"].kind == "user"
