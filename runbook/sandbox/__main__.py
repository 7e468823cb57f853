"""``python -m runbook.sandbox serve``: the sandbox on its own, without the rest of the runbook."""

from runbook.sandbox.cli import app

app(prog_name="python -m runbook.sandbox")
