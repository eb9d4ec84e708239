"""The headers that every answer carries: nothing runs, loads or frames the page but the page itself."""

SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}

_POLICY = SECURITY_HEADERS["content-security-policy"]
REMOTE_PICTURE_HEADERS = SECURITY_HEADERS | {
    "content-security-policy": _POLICY.replace("data: blob:", "data: blob: http: https:")
}
"""The same for a library whose originals lie elsewhere: pictures, and nothing else, may come from there."""
