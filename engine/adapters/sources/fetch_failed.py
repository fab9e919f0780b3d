"""Why something could not be fetched: the one list of reasons."""

from __future__ import annotations

# Reasons as they stand in run errors and rejected records; `status-404` and the like come
# with any HTTP status that is neither an answer nor a redirect.
REASONS = {
    "bad-address": "not an http or https address that may be fetched",
    "private-address": "the host is not on the public internet",
    "outside-replay": "in replay mode nothing but the replay site is asked",
    "robots": "the site's robots.txt disallows it, or could not be had",
    "circuit-open": "the host failed too often and is left alone for a while",
    "host-paused": "the host asked to be left alone for longer than a fetch may wait",
    "no-budget": "the host's pace left no turn within the time a fetch may wait",
    "timeout": "no whole answer within the time of one request",
    "unreachable": "no connection, or it broke",
    "bad-answer": "the answer breaks the rules of HTTP",
    "too-large": "more bytes than a document may have, sent or unpacked",
    "undecodable": "its Content-Encoding is unknown or broken",
    "too-many-redirects": "redirected more often than is followed",
    "bad-redirect": "redirected without an address",
    "not-modified": "answered 304 to a request that was not conditional",
    "bad-manifest": "a list of documents that is not in its form",
    "bad-page": "an answer of a RESO Web API that is not in its form",
    "bad-settings": "what is configured for the source can't be used",
    "endless-pages": "more index pages than are followed",
}


class FetchFailed(Exception):
    """Something could not be had. `reason` is one of REASONS, or `status-` and the status.

    `retry_seconds`, where known, says when asking again makes sense.
    """

    def __init__(
        self, url: str, reason: str, detail: str, retry_seconds: float | None = None
    ) -> None:
        super().__init__(url, reason, detail, retry_seconds)
        self.url, self.reason, self.detail = url, reason, detail
        self.retry_seconds = retry_seconds

    def __str__(self) -> str:
        return f"{self.url}: {self.reason}: {self.detail}"
