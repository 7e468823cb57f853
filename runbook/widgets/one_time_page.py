"""A page on loopback that shows secrets once: from the store to a person, past every notebook and widget.

The address is unguessable and works for a short time. Opening it shows a button; pressing that shows the value once,
so a browser that looks ahead of its user spends nothing.
"""

import http.server
import secrets
import threading
from collections.abc import Callable, Mapping
from html import escape
from importlib.resources import files
from string import Template

from runbook.secrets import Secret

SECONDS = 120.0
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
_ASK = """<p>What is behind this page is shown once, for you to paste.</p>
<form method="post"><button autofocus>Show it</button></form>"""
_SHOW = """<p><label>$name <input readonly value="$value"></label>
<button onclick="this.previousElementSibling.control.select();
 this.textContent = document.execCommand('copy') ? 'Copied' : 'Selected: press Ctrl+C'">Copy</button></p>"""
_CLOSE = "<p>Close this page afterwards.</p>"
_GONE = "<p>It was shown already, or the time is over. Ask for it again in the notebook.</p>"


def offer(fetch: Callable[[], Mapping[str, Secret]]) -> str:
    """Serve secrets by their names once; returns the address. ``fetch`` is called when a person asks for them."""
    path = f"/{secrets.token_urlsafe(32)}"
    frame = files("runbook.widgets").joinpath("one_time_page.html").read_text(encoding="utf-8")
    turn = threading.Lock()

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(_ASK if self.path == path and not turn.locked() else _GONE)

        def do_POST(self) -> None:
            if self.path != path or not turn.acquire(blocking=False):
                self._answer(_GONE)
                return
            shown = [(escape(name), escape(secret.reveal())) for name, secret in fetch().items()]
            fields = [Template(_SHOW).substitute(name=name, value=value) for name, value in shown]
            self._answer("".join([*fields, _CLOSE]))
            threading.Thread(target=server.shutdown).start()

        def _answer(self, fragment: str) -> None:
            body = Template(frame).substitute(content=fragment).encode()
            self.send_response(200)
            for header, value in _HEADERS.items():
                self.send_header(header, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the path is a key."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=_serve, args=(server,), name="one-time page", daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


def _serve(server: http.server.ThreadingHTTPServer) -> None:
    end = threading.Timer(SECONDS, server.shutdown)
    end.daemon = True
    end.start()
    with server:
        server.serve_forever(poll_interval=0.2)
    end.cancel()
