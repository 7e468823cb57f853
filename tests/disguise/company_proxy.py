"""A company's proxy, proxy.py as it is, between the runbook and the sandbox: ``company_proxy.py PORT OPTIONS…``.

PORT is the sandbox's, which stands behind every name. Prints its own port when it is ready, and ends with its stdin.
"""

from __future__ import annotations

import sys
from typing import Any

import proxy
from proxy.http.parser import HttpParser
from proxy.http.proxy import HttpProxyBasePlugin

UPSTREAM = int(sys.argv[1]) if __name__ == "__main__" else 0


class ToTheSandbox(HttpProxyBasePlugin):  # type: ignore[misc]
    """What the proxy takes for the internet is the sandbox."""

    def before_upstream_connection(self, request: HttpParser) -> HttpParser | None:
        request.port = UPSTREAM
        return request

    def resolve_dns(self, host: str, port: int) -> tuple[Any, Any]:  # noqa: ARG002
        return "127.0.0.1", None


if __name__ == "__main__":
    with proxy.Proxy(sys.argv[2:], plugins=[ToTheSandbox]) as running:
        print(running.flags.port, flush=True)
        sys.stdin.read()
