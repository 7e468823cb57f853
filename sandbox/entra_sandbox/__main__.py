"""``python -m entra_sandbox`` is the command ``entra-sandbox``."""

from entra_sandbox.cli import main

main()
