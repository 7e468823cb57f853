"""Who carries out the tasks: embedded workers behind TLS on loopback, or a cluster that is there and may be lost."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
from distributed import Client
from distributed.security import Security

from tests.fleet.conftest import ONE_OF_EACH, Provider, a_cluster
from tests.safety.processes import shown

LINE = ("--set", "secret_store=file", "--actions", "List Users")


def test_embedded_workers_talk_by_tls_on_loopback_refuse_strangers_and_show_no_secret(provider: Provider) -> None:
    table = str(provider.table("tls.csv", 10))
    process = provider.start("run", table, "--records", "tls", "--workers", "1", "--sections", "1..2", "--json", *LINE)
    listening: set[tuple[str, int]] = set()
    texts: list[bytes] = []
    refused: list[str] = []

    def look() -> int:
        started = psutil.Process(process.pid)
        for one in (started, *started.children(recursive=True)):
            texts.extend(shown(one.pid, name) for name in ("cmdline", "environ"))
            found = one.net_connections("inet")
            listening.update(tuple(each.laddr) for each in found if each.status == psutil.CONN_LISTEN)
        for _, port in listening:
            try:
                Client(f"tls://127.0.0.1:{port}", security=Security.temporary(), timeout=1).close()
            except OSError as error:
                refused.append(str(error))
        return 0

    provider.gate.arm("/organization", look)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    key = Path(provider.ready["stackone_api_key_file"])
    files = [path.read_bytes() for path in (provider.folder / "tls").rglob("*") if path.is_file()]
    for secret in (path.read_text(encoding="utf-8").strip() for path in (key, key.with_name("provider-secret"))):
        assert not [text for text in (*texts, *files, out.encode(), err.encode()) if secret.encode() in text]
    assert len(listening) >= 2, "scheduler and worker"
    assert {address for address, _ in listening} == {"127.0.0.1"}
    assert len(refused) == len(listening)


def test_a_scheduler_that_is_lost_loses_and_doubles_nothing(provider: Provider) -> None:
    table = str(provider.table("l.csv", 11))
    line = ("run", table, "--records", "l", "--sections", "1..5", *LINE)
    with a_cluster(provider, "first") as (address, scheduler):
        process = provider.start(*line, "--scheduler", address, "--json")
        provider.gate.arm("/addPassword", lambda: scheduler.kill() or 0)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 1, out + err
        assert json.loads(out)["what"] == "The scheduler is gone."
    with a_cluster(provider, "second") as (address, _):
        told = provider.fleet(*line, "--scheduler", address)["counts"]
    assert told in ({"done": 1}, {"skipped": 1}), "its worker may have finished the tenant alone"
    assert provider.made(11) == ONE_OF_EACH


def test_where_no_scheduler_answers_it_says_so(provider: Provider) -> None:
    table = str(provider.table("n.csv", 10))
    told = provider.fleet("run", table, "--scheduler", "tcp://127.0.0.1:1", *LINE, code=1)
    assert told["code"] == "no_scheduler"
