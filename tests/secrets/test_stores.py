"""The secret stores: what they keep, where, and what they refuse."""

from __future__ import annotations

import stat
import subprocess
import sys
import traceback
from pathlib import Path

import filelock
import keyring
import pytest
from keyring.backends import null

from runbook.errors import SecretStoreError
from runbook.secrets import Secret
from runbook.secrets.stores import open_store

from .conftest import CANARY, MemoryKeyring

NAME = "stackone-connector/11111111-2222-3333-4444-555555555555/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"


def files_of(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file()]


@pytest.mark.usefixtures("memory_keyring")
@pytest.mark.parametrize("spec", ["file", "keyring"])
def test_what_is_put_can_be_read_replaced_and_deleted(spec: str) -> None:
    store = open_store(spec)
    ref = store.put(NAME, Secret(CANARY))
    assert ref == store.reference(NAME)
    assert ref.startswith(spec + ":")
    assert open_store(spec).get(ref).reveal() == CANARY
    assert store.put(NAME, Secret("second")) == ref
    assert store.get(ref).reveal() == "second"
    assert store.has(ref)
    assert store.delete(ref) is True
    assert store.delete(ref) is False
    assert not store.has(ref)
    with pytest.raises(SecretStoreError, match="no secret under"):
        store.get(ref)


def test_a_reference_of_another_kind_is_read_from_its_own_store(memory_keyring: MemoryKeyring) -> None:
    memory_keyring.kept["stackone", "api-key"] = "from the keyring"
    kept = open_store("file").put("x", Secret("from the file"))
    assert open_store("file").get("keyring:stackone/api-key").reveal() == "from the keyring"
    assert open_store("keyring").get(kept).reveal() == "from the file"


def test_auto_takes_the_keyring_where_one_works(memory_keyring: MemoryKeyring) -> None:
    assert open_store("auto").put("a/b", Secret("x")) == "keyring:a/b"
    assert memory_keyring.kept == {("a", "b"): "x"}


def test_auto_takes_the_file_where_no_keyring_works() -> None:
    assert open_store("auto").put("a/b", Secret("x")) == "file:a/b"


@pytest.mark.parametrize("backend", [None, null.Keyring()], ids=["fail", "null"])
def test_a_keyring_that_keeps_nothing_is_refused(backend: object) -> None:
    if backend is not None:
        keyring.set_keyring(backend)
    with pytest.raises(SecretStoreError, match="cannot be used") as caught:
        open_store("keyring")
    assert "secret_store" in caught.value.next_step


def test_a_locked_keyring_is_an_error_that_shows_no_value(memory_keyring: MemoryKeyring) -> None:
    store = open_store("keyring")
    memory_keyring.locked = True
    with pytest.raises(SecretStoreError, match="KeyringLocked") as caught:
        store.put("a/b", Secret(CANARY))
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_the_secrets_file_is_encrypted_private_and_apart_from_its_key(home: Path) -> None:
    open_store("file").put(NAME, Secret(CANARY))
    files = {path.name: path for path in files_of(home)}
    assert {"secrets.enc", "secrets.key"} <= set(files)
    assert files["secrets.enc"].parent != files["secrets.key"].parent
    for path in files.values():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
        assert CANARY.encode() not in path.read_bytes()
        assert NAME.encode() not in path.read_bytes()


def test_the_key_lies_in_the_keyring_where_one_works(memory_keyring: MemoryKeyring, home: Path) -> None:
    open_store("file").put(NAME, Secret(CANARY))
    assert [path.name for path in files_of(home) if path.suffix == ".key"] == []
    assert list(memory_keyring.kept) == [("entra-id-runbook", "secrets-file-key")]


def test_a_key_file_stays_the_key_when_a_keyring_appears_later() -> None:
    ref = open_store("file").put("a", Secret("x"))
    keyring.set_keyring(MemoryKeyring())
    assert open_store("file").get(ref).reveal() == "x"


def test_the_environment_moves_file_and_key_together(
    memory_keyring: MemoryKeyring, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNBOOK_SECRETS_DIR", str(tmp_path / "moved"))
    ref = open_store("file").put("a", Secret("x"))
    assert files_of(home) == []
    assert memory_keyring.kept == {}
    (tmp_path / "moved").rename(tmp_path / "elsewhere")
    monkeypatch.setenv("RUNBOOK_SECRETS_DIR", str(tmp_path / "elsewhere"))
    assert open_store("file").get(ref).reveal() == "x"


@pytest.mark.parametrize("name", ["secrets.enc", "secrets.key"])
def test_a_file_that_others_may_read_is_refused(home: Path, name: str) -> None:
    ref = open_store("file").put("a", Secret("x"))
    next(path for path in files_of(home) if path.name == name).chmod(0o644)
    with pytest.raises(SecretStoreError, match="can be read by others"):
        open_store("file").get(ref)


def test_a_secrets_file_without_its_key_is_neither_read_nor_overwritten(home: Path) -> None:
    ref = open_store("file").put("a", Secret("x"))
    files = {path.name: path for path in files_of(home)}
    before = files["secrets.enc"].read_bytes()
    files["secrets.key"].unlink()
    for attempt in (lambda: open_store("file").get(ref), lambda: open_store("file").put("b", Secret("y"))):
        with pytest.raises(SecretStoreError, match="key of the secrets file"):
            attempt()
    assert files["secrets.enc"].read_bytes() == before


def test_a_changed_secrets_file_is_refused(home: Path) -> None:
    ref = open_store("file").put("a", Secret("x"))
    file = next(path for path in files_of(home) if path.name == "secrets.enc")
    content = bytearray(file.read_bytes())
    content[20] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(SecretStoreError, match="cannot be decrypted"):
        open_store("file").get(ref)


def test_several_processes_put_at_once_and_nothing_is_lost(home: Path) -> None:
    program = (
        "import sys; from runbook.secrets import Secret; from runbook.secrets.stores import open_store\n"
        "for n in range(10): open_store('file').put(f'p{sys.argv[1]}/s{n}', Secret('x'))\n"
    )
    environment = {"HOME": str(home), "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    running = [subprocess.Popen([sys.executable, "-c", program, str(n)], env=environment) for n in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    store = open_store("file")
    assert all(store.has(f"file:p{process}/s{number}") for process in range(3) for number in range(10))


def test_a_folder_that_cannot_be_written_is_a_clear_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "taken").write_text("a file")
    monkeypatch.setenv("RUNBOOK_SECRETS_DIR", str(home / "taken"))
    with pytest.raises(SecretStoreError, match="cannot be used"):
        open_store("file").put("a", Secret("x"))


def test_a_lock_that_is_held_delays_a_put_until_it_is_free(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOK_SECRETS_DIR", str(home))
    program = (
        "from runbook.secrets import Secret; from runbook.secrets.stores import open_store\n"
        "print('begun', flush=True); open_store('file').put('late', Secret('x'))\n"
    )
    with filelock.FileLock(home / "secrets.enc.lock"):
        environment = {"HOME": str(home), "RUNBOOK_SECRETS_DIR": str(home)}
        process = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        assert not (home / "secrets.enc").exists()
    assert process.wait(30) == 0
    process.stdout.close()
    assert open_store("file").has("file:late")


def test_who_reads_waits_for_nobody_who_writes(home: Path) -> None:
    kept = open_store("file").put("x", Secret("kept"))
    (file,) = home.rglob("secrets.enc")
    with filelock.FileLock(file.with_name("secrets.enc.lock")):
        assert open_store("file").get(kept).reveal() == "kept"
        assert open_store("file").references() == [kept]


@pytest.mark.parametrize("spec", ["", "vault", "file:", "azure-key-vault:", "azure-key-vault", CANARY])
def test_an_unknown_kind_of_store_is_refused_without_repeating_it(spec: str) -> None:
    with pytest.raises(SecretStoreError) as caught:
        open_store(spec)
    assert not spec or spec not in caught.value.what


@pytest.mark.usefixtures("memory_keyring")
def test_a_store_describes_itself_without_values() -> None:
    for spec in ("file", "keyring"):
        store = open_store(spec)
        store.put("a/b", Secret(CANARY))
        assert store.describe()
        assert CANARY not in f"{store!r} {store.describe()}"
