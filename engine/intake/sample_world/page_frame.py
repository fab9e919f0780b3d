"""A page of the sample world around the data that its source puts into a script."""

from __future__ import annotations

import json
from html import escape

_PAGE = """<!DOCTYPE html>
<html><head><meta charset="UTF-8">
<meta name="x-aiqleads-sample" content="invented home, seed world">
<title>{title}</title>
<script {script}>{data}</script>
</head><body>{body}</body></html>
"""


def framed(title: str, data: object, *, script: str, body: str = "") -> bytes:
    """The page; `script` is the attributes of the element that holds the data as JSON."""
    # A closing tag inside the text must not end the script element.
    text = json.dumps(data).replace("<", "\\u003c")
    return _PAGE.format(title=escape(title), script=script, data=text, body=body).encode()
