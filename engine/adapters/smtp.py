"""Mail handed to a server by SMTP, in a thread of its own."""

from __future__ import annotations

import ipaddress
import smtplib
import ssl
import time
from collections.abc import Sequence
from email.message import EmailMessage
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

CONNECT_SECONDS = 10.0
# For each word with the server.
ANSWER_SECONDS = 15.0
_PORTS = {"smtp": 587, "smtps": 465}

Outcome = Literal["sent", "again", "failed", "untried"]


class Delivery(NamedTuple):
    """What became of a message. `error` is the server's code and word, without addresses."""

    outcome: Outcome
    error: str = ""


class SmtpServer(NamedTuple):
    """From a URL like smtp://user:password@host:587; smtps:// for TLS from the start."""

    host: str
    port: int
    is_tls: bool
    user: str
    password: str

    @classmethod
    def parse(cls, url: str) -> SmtpServer:
        """Raises ValueError, without the password in it."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("smtp_url is no URL; it looks like smtp://host:587") from None
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("smtp_url must be smtp://host or smtps://host")
        return cls(
            parts.hostname,
            port or _PORTS[parts.scheme],
            parts.scheme == "smtps",
            unquote(parts.username or ""),
            unquote(parts.password or ""),
        )


class Smtp:
    """Blocks: call `deliver` in a thread. Certificates are checked, TLS is used where it is
    offered, and a password goes only over TLS or to this machine itself."""

    def __init__(self, server: SmtpServer, *, context: ssl.SSLContext | None = None) -> None:
        self.server = server
        self._context = context or ssl.create_default_context()

    def deliver(self, messages: Sequence[EmailMessage], until: float) -> list[Delivery]:
        """Hand the messages over in one session, beginning none after monotonic `until`."""
        deliveries: list[Delivery] = []
        try:
            with self._session() as session:
                for message in messages:
                    if time.monotonic() >= until:
                        break
                    deliveries.append(_deliver(session, message))
        except (OSError, smtplib.SMTPException) as error:
            # The session is over: at the greeting, or in the middle of a message.
            deliveries += [Delivery("again", _words(error))] * (len(deliveries) < len(messages))
        return deliveries + [Delivery("untried")] * (len(messages) - len(deliveries))

    def _session(self) -> smtplib.SMTP:
        server = self.server
        session: smtplib.SMTP
        if server.is_tls:
            session = smtplib.SMTP_SSL(
                server.host, server.port, timeout=CONNECT_SECONDS, context=self._context
            )
        else:
            session = smtplib.SMTP(server.host, server.port, timeout=CONNECT_SECONDS)
        try:
            assert session.sock is not None
            session.sock.settimeout(ANSWER_SECONDS)
            session.ehlo()
            is_safe = server.is_tls or _is_loopback(server.host)
            if not server.is_tls and session.has_extn("starttls"):
                session.starttls(context=self._context)
                session.ehlo()
                is_safe = True
            if server.user:
                if not is_safe:
                    raise smtplib.SMTPNotSupportedError("no TLS on offer: the password stays here")
                session.login(server.user, server.password)
        except BaseException:
            session.close()
            raise
        return session


def _deliver(session: smtplib.SMTP, message: EmailMessage) -> Delivery:
    """Raises what ends the session."""
    try:
        session.send_message(message)
        return Delivery("sent")
    except smtplib.SMTPRecipientsRefused as error:
        code, words = next(iter(error.recipients.values()))
        return _refused(code, words)
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        if error.smtp_code == 421:
            raise
        return _refused(error.smtp_code, error.smtp_error)
    except smtplib.SMTPNotSupportedError as error:
        return Delivery("failed", _words(error))


def _refused(code: int, words: bytes | str) -> Delivery:
    """RFC 5321: 5yz is for good, 4yz for now."""
    return Delivery("failed" if code >= 500 else "again", f"{code} {_enhanced(words)}".strip())


def _enhanced(words: bytes | str) -> str:
    """The enhanced status code (RFC 3463) alone: the rest may quote an address."""
    text = words.decode("ascii", "replace") if isinstance(words, bytes) else words
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    return first if first.replace(".", "").isdigit() else ""


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        code = f"{error.smtp_code} {_enhanced(error.smtp_error)}".strip()
        return f"{type(error).__name__}: {code}"
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    return type(error).__name__


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
