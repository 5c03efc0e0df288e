"""A page as it goes over the wire: from a template, with the headers that keep scripts of others out."""

from __future__ import annotations

from typing import Any

import jinja2
from fastapi import Response
from fastapi.responses import HTMLResponse

from turret_api.dashboard import files

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        # plotly sets style attributes, and has two style elements: an empty one that its script fills (the first hash
        # is that of nothing), and the one of its maps. Any other style element is refused.
        "style-src 'self'",
        "style-src-elem 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
        "'sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o='",
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(files.HERE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
)


def page(template: str, status: int, values: dict[str, Any]) -> Response:
    """Return the page that `template` makes of `values`."""
    text = _templates.get_template(template).render(values, version=files.version())
    headers = {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cache-Control": "no-store",
        # Not no-referrer: with it browsers hide the origin of a form from us too, and over plain HTTP nothing else
        # shows that the form is ours.
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(text, status, headers)
