"""The pages in front of the dashboard. They hold no script and load nothing."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from html import escape

from starlette.responses import HTMLResponse

STYLE = """
:root { color-scheme: light dark; }
body { font: 1.05rem/1.5 system-ui, sans-serif; display: grid; place-items: center; min-height: 90vh; margin: 1rem; }
main { width: min(22rem, 100%); }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
label, input, button, a.button { display: block; width: 100%; box-sizing: border-box; }
input, button, a.button { font: inherit; padding: .6rem .8rem; margin: .4rem 0 1rem; border-radius: .5rem; }
input { border: 1px solid #767676; }
button, a.button { border: 0; background: #1f6fad; color: #fff; cursor: pointer; }
a.button { text-align: center; text-decoration: none; }
:focus-visible { outline: 3px solid #e69f00; outline-offset: 2px; }
[role=alert] { border-left: .3rem solid #d55e00; padding-left: .7rem; }
small { opacity: .8; }
"""
POLICY = (
    "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    f"style-src 'sha256-{b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
)
NOTICE = "For research; no clinical advice."


def screen(body: str, *, status: int = 200) -> HTMLResponse:
    """A whole page around ``body``, which is HTML."""
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Wardround</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f"<style>{STYLE}</style></head><body><main><h1>Wardround</h1>{body}<small>{NOTICE}</small></main></body></html>"
    )
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(page, status, headers)


def password_form(way_on: str, problem: str = "", *, status: int = 200) -> HTMLResponse:
    """Ask for the password; ``problem``: why it was not taken."""
    alert = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    return screen(
        f'{alert}<form method="post" action="/login"><input type="hidden" name="next" value="{escape(way_on)}">'
        '<label for="password">Password</label><input id="password" name="password" type="password" required autofocus '
        'autocomplete="current-password"><button>Log in</button></form>',
        status=status,
    )


def provider_link(*, status: int = 200) -> HTMLResponse:
    """Lead to the OpenID Connect provider."""
    return screen('<p>Log in to read on.</p><a class="button" href="/auth/start">Log in</a>', status=status)


def turned_away(email: str) -> HTMLResponse:
    """Somebody whom the provider knows, but the configuration does not name."""
    who = f"<strong>{escape(email)}</strong>" if email else "An account without a verified e-mail address"
    return screen(
        f'<p role="alert">{who} may not enter. Ask whoever runs this dashboard to let you in.</p>'
        '<a class="button" href="/auth/logout">Log in with another account</a>',
        status=403,
    )


def logged_out() -> HTMLResponse:
    """The end."""
    return screen('<p>You are logged out.</p><a class="button" href="/">Log in again</a>')


def refused(why: str, status: int) -> HTMLResponse:
    """A request that cannot be served."""
    return screen(f'<p role="alert">{escape(why)}</p>', status=status)
