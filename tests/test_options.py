"""No option is there for tests alone."""

from __future__ import annotations

from pathlib import Path

from tests.options import ungiven

REVIEWED = {
    # given by the errors that build on it, which pass on what they were given
    "errors.py:ServiceError.method",
    "errors.py:ServiceError.path",
    "errors.py:ServiceError.message",
    "errors.py:ServiceError.retry_after",
    # given by ``RunbookError.named``, from the data file of texts
    "errors.py:RunbookError.meaning",
    "errors.py:RunbookError.next_step",
    "errors.py:RunbookError.code",
    "errors.py:RunbookError.request_id",
    # called by a library: msal, IPython
    "clients/msal_apps.py:post.data",
    "clients/msal_apps.py:post.headers",
    "widgets/panel.py:_repr_mimebundle_.include",
    "widgets/panel.py:_repr_mimebundle_.exclude",
    # called under another name: asked once for what plan and apply both need
    "clients/stackone.py:accounts.provider",
    "clients/stackone.py:accounts.owner_id",
    # called through the table of the kinds of secret store
    "secrets/keyring_backend.py:KeyringBackend._place",
    "secrets/encrypted_file.py:of_user._place",
}


def test_every_option_is_given_somewhere_in_the_package() -> None:
    assert set(ungiven()) == REVIEWED


def test_an_option_that_nobody_gives_is_found(tmp_path: Path) -> None:
    (tmp_path / "runbook").mkdir()
    (tmp_path / "notebooks").mkdir()
    code = "def f(a, b=1, *, c=2, d=3): ...\nclass K:\n    def __init__(self, e=4): ...\nf(1, d=5)\n"
    (tmp_path / "runbook" / "one.py").write_text(code)
    assert set(ungiven(tmp_path)) == {"one.py:f.b", "one.py:f.c", "one.py:K.e"}
