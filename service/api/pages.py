"""What browsers are told about pages: nothing from elsewhere, in no frame, no guessing.

A page that needs more says so itself, by setting the header.
"""

from aiohttp import hdrs, web

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def guard_pages(response: web.StreamResponse) -> None:
    """Give a page the headers that it has not set itself."""
    if response.headers.get(hdrs.CONTENT_TYPE, "").startswith("text/html"):
        for name, value in PAGE_HEADERS.items():
            response.headers.setdefault(name, value)
