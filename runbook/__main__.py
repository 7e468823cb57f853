"""``python -m runbook`` is the command ``runbook``."""

import os
import sys

if not sys.flags.safe_path and sys.path[0] in ("", os.getcwd()):  # noqa: PTH109 - pathlib may lie in that folder
    # ``python -m`` puts the folder one stands in before everything; what lies there is not code of ours.
    del sys.path[0]

from runbook.cli.app import main

if __name__ == "__main__":
    main()
