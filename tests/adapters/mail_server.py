"""An SMTP server on loopback that keeps what it is sent, and refuses what it is told to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class MailServer:
    """`mails` are (recipient, message) as they came. `answers` are given instead of taking one,
    by recipient; `at_once` counts the most sessions there were at a time."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, EmailMessage]] = []
        self.answers: dict[str, str] = {}
        self.logins: list[tuple[str, str]] = []
        self.over_tls: list[bool] = []
        self.delay = 0.0
        self.port = 0
        self.handing_over = 0
        self.at_once = 0

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusal = self.answers.get(address)
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        self.handing_over += 1
        self.at_once = max(self.at_once, self.handing_over)
        await asyncio.sleep(self.delay)
        self.handing_over -= 1
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        for recipient in envelope.rcpt_tos:
            self.mails.append((recipient, message))  # type: ignore[arg-type]
        self.over_tls.append(session.ssl is not None)
        return "250 taken"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any):
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"right horse")

    def recipients(self) -> list[str]:
        return [recipient for recipient, _ in self.mails]


@asynccontextmanager
async def mail_server(
    *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[MailServer]:
    """Listening. `tls` from the start, `starttls` when asked for."""
    keeper = MailServer()
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        return SMTP(
            keeper,
            hostname="mail.test",
            loop=loop,
            tls_context=starttls,
            authenticator=keeper.authenticate,
            **options,
        )

    server = await loop.create_server(session, "127.0.0.1", 0, ssl=tls)
    keeper.port = server.sockets[0].getsockname()[1]
    try:
        yield keeper
    finally:
        server.close()
        await server.wait_closed()
