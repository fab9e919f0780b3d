"""Sends the e-mails of the outbox. Any number of workers share it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from typing import Protocol

import asyncpg

from engine.adapters.letters import Letters
from engine.adapters.postgres import mail_outbox
from engine.adapters.postgres.mail_outbox import LEASE_SECONDS, Mail
from engine.adapters.smtp import ANSWER_SECONDS, CONNECT_SECONDS, Delivery

log = logging.getLogger(__name__)

BATCH_MAX = 20
# The last message of a batch must be over well before the lease is: connecting, and the
# words of one message.
BEGIN_SECONDS_MAX = LEASE_SECONDS - CONNECT_SECONDS - 8 * ANSWER_SECONDS
IDLE_SECONDS_MAX = 30.0
PAUSE_SECONDS = 2.0
PAUSE_SECONDS_MAX = 60.0
STOP_SECONDS = 10.0


class MailServer(Protocol):
    """Blocks until it has tried. One outcome per message, none begun after monotonic `until`."""

    def deliver(self, messages: Sequence[EmailMessage], until: float) -> list[Delivery]: ...


class MailWorker:
    """`start`, `wake` when there may be something to send, `stop`."""

    def __init__(self, pool: asyncpg.Pool, letters: Letters, server: MailServer) -> None:
        self._pool = pool
        self._letters = letters
        self._server = server
        # A thread of its own: a mail server that hangs must hold up nobody else's.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mail")
        self._woken = asyncio.Event()
        self._stop_asked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.sent = 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="mail")

    def wake(self) -> None:
        self._woken.set()

    async def stop(self) -> None:
        """Finish the batch under way if it ends soon, so that none of it is sent again."""
        self._stop_asked.set()
        self._woken.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=STOP_SECONDS)
            self._task.cancel()
            await asyncio.wait([self._task])
        self._thread.shutdown(wait=False)

    async def _run(self) -> None:
        pause = PAUSE_SECONDS
        while not self._stop_asked.is_set():
            self._woken.clear()
            try:
                is_done = await self._send_due()
                seconds = await self._seconds_to_next() if is_done else 0.0
                pause = PAUSE_SECONDS
            except Exception as error:
                log.warning("e-mails can't be sent yet: %s", str(error) or type(error).__name__)
                # Not to be woken by the next mail: each attempt costs one of them a try.
                await _wait(self._stop_asked, pause)
                pause = min(pause * 2, PAUSE_SECONDS_MAX)
            else:
                await _wait(self._woken, seconds)

    async def _seconds_to_next(self) -> float:
        seconds = await mail_outbox.seconds_to_next(self._pool)
        # Another worker may be at it: not at once again.
        return IDLE_SECONDS_MAX if seconds is None else min(max(seconds, 0.5), IDLE_SECONDS_MAX)

    async def _send_due(self) -> bool:
        """Send a batch; True if nothing more is due. Raises ServerAway."""
        until = time.monotonic() + BEGIN_SECONDS_MAX
        mails = await mail_outbox.take(self._pool, BATCH_MAX)
        await mail_outbox.dropped(self._pool, [mail for mail in mails if not mail.is_true])
        written = await self._write([mail for mail in mails if mail.is_true])
        if written:
            deliveries = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._server.deliver, [message for _, message in written], until
            )
            await self._note([mail for mail, _ in written], deliveries)
        return len(mails) < BATCH_MAX

    async def _write(self, mails: Sequence[Mail]) -> list[tuple[Mail, EmailMessage]]:
        """A mail that can't be written must not keep back the others."""
        written = []
        for mail in mails:
            try:
                written.append((mail, self._letters.letter(mail)))
            except (KeyError, ValueError) as error:
                log.error("e-mail %s can't be written", mail.notification_id, exc_info=error)
                await mail_outbox.failed(self._pool, mail, f"not written: {type(error).__name__}")
        return written

    async def _note(self, mails: Sequence[Mail], deliveries: Sequence[Delivery]) -> None:
        by_outcome: dict[str, list[Mail]] = {"sent": [], "untried": []}
        away = ""
        for mail, (outcome, error) in zip(mails, deliveries, strict=True):
            by_outcome.setdefault(outcome, []).append(mail)
            if outcome == "failed":
                log.warning("e-mail %s is given up: %s", mail.notification_id, error)
                await mail_outbox.failed(self._pool, mail, error)
            elif outcome == "again":
                away = error
                await mail_outbox.again(self._pool, mail, error)
        await mail_outbox.sent(self._pool, by_outcome["sent"])
        await mail_outbox.give_back(self._pool, by_outcome["untried"])
        self.sent += len(by_outcome["sent"])
        if by_outcome["untried"] and away:
            raise ServerAway(away)


class ServerAway(Exception):
    """The mail server ended the session; the rest of the batch was given back."""


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
