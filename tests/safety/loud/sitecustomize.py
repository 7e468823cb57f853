"""Put on ``PYTHONPATH`` of a run: every process of it logs everything, to a file and where its own output goes."""

import logging
import os
import sys


class _HereAndNow(logging.StreamHandler):
    """Writes to what is standard error when it is written to: in a notebook that is the output of the cell."""

    def __init__(self):
        logging.Handler.__init__(self)

    @property
    def stream(self):
        return sys.stderr


if "PYTHON_LOUD_LOGS" in os.environ:
    _file = logging.FileHandler(os.path.join(os.environ["PYTHON_LOUD_LOGS"], f"{os.getpid()}.log"))  # noqa: PTH118
    logging.basicConfig(level=1, handlers=[_file])
    for _name in ("httpx", "httpcore", "msal", "urllib3", "runbook", "stamina"):
        logging.getLogger(_name).addHandler(_HereAndNow())
