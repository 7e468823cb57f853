"""What a person takes elsewhere: the hand-over card with its link and QR code, and a value to copy."""

from __future__ import annotations

from runbook.errors import HandOver
from runbook.widgets import markup
from runbook.widgets.panel import Panel
from runbook.widgets.table import Table


def _qr_code(address: str) -> str:
    """The address as an inline SVG of a QR code (ISO/IEC 18004), dark on white so that any camera reads it."""
    import segno

    svg: str = segno.make(address, error="m").svg_inline(scale=3, border=2, dark="#111", light="#fff")
    return f'<span class="qr" role="img" aria-label="QR code of the link">{svg}</span>'


class HandOverCard(Panel):
    """Who has to do what, where, with which values; no field of it is a secret.

    Where nobody is at the screen the card ends in a record, so a link that is kept in the secret store stays there.
    """

    def __init__(self, hand_over: HandOver, *, attended: bool = True) -> None:
        self._hand_over = hand_over
        self._shown = attended or not hand_over.kept
        self._elsewhere = f"kept as {hand_over.kept}; the terminal of a run shows it"

    def table(self) -> Table:
        return Table(("Field", "Value"), tuple(self._hand_over.fields.items()), "Values to put in")

    def text(self) -> str:
        hand_over = self._hand_over
        link = hand_over.url if self._shown else self._elsewhere
        lines = [hand_over.title, *([f"Who: {hand_over.who}"] if hand_over.who else []), f"Link: {link}"]
        lines += [f"{number}. {step}" for number, step in enumerate(hand_over.steps, start=1)]
        lines += [f"Until: {hand_over.expires_at}"] if hand_over.expires_at else []
        return "\n".join(lines) + (f"\n{self.table().text()}" if hand_over.fields else "")

    def fragment(self) -> str:
        hand_over = self._hand_over
        steps = "".join(f"<li>{markup.escape(step)}</li>" for step in hand_over.steps)
        who = f'<p class="soft">For: {markup.escape(hand_over.who)}</p>' if hand_over.who else ""
        until = f'<p class="soft">Valid until {markup.escape(hand_over.expires_at)}</p>' if hand_over.expires_at else ""
        return (
            f'<div class="card"><div class="large">{markup.escape(hand_over.title)}</div>{who}'
            f"<p>{self._link()}</p>{until}"
            f"{f'<ol>{steps}</ol>' if steps else ''}{self._fields()}{self._qr()}</div>"
        )

    def _link(self) -> str:
        if not self._shown:
            return f"Link: {markup.escape(self._elsewhere)}"
        return f"{markup.link(self._hand_over.url)} {markup.copy_button(self._hand_over.url, 'the link')}"

    def _fields(self) -> str:
        rows = "".join(
            f'<tr><th scope="row">{markup.escape(name)}</th><td class="mono">{markup.escape(value)}</td>'
            f"<td>{markup.copy_button(value, name)}</td></tr>"
            for name, value in self._hand_over.fields.items()
        )
        return f'<table class="fields"><tbody>{rows}</tbody></table>' if rows else ""

    def _qr(self) -> str:
        for_phone = self._hand_over.kind in ("link_account", "admin_consent", "device_sign_in")
        if not self._shown or not for_phone or not self._hand_over.url.startswith(("https://", "http://")):
            return ""
        return markup.fold("QR code of the link", _qr_code(self._hand_over.url))


class KeyValue(Panel):
    """The one value that somebody takes away from a step, in large letters and with a copy button; it is not secret."""

    def __init__(self, name: str, value: str) -> None:
        self._name, self._value = name, value

    def table(self) -> Table:
        return Table(("What", "Value"), ((self._name, self._value),))

    def text(self) -> str:
        return f"{self._name}: {self._value}"

    def fragment(self) -> str:
        copied = markup.copy_button(self._value, self._name)
        return (
            f'<div class="card"><div class="soft">{markup.escape(self._name)}</div>'
            f'<span class="large">{markup.escape(self._value)}</span> {copied}</div>'
        )
