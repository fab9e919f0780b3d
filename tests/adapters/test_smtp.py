"""Mail over a real SMTP server on loopback: TLS, sign-in, and who refuses what."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.letters import Letters
from engine.adapters.local.ports import free_port
from engine.adapters.postgres.mail_outbox import Mail
from engine.adapters.smtp import Delivery, Smtp, SmtpServer
from engine.market.notices import KINDS, words
from tests.adapters.mail_server import mail_server

FACTS: dict[str, Any] = {
    "market": "austin",
    "lead_id": "lead-1",
    "price": 25,
    "city": "Austin",
    "property_sub_type": "Condominium",
    "held_until": "2026-05-01T12:30:00.000000Z",
    "offered_until": "2026-05-01T12:30:00.000000Z",
    "minutes_left": 10,
    "reason": "expired",
}


def mail(kind: str = "hold.expiring", email: str = "ann@example.com", **facts: Any) -> Mail:
    told = FACTS | facts
    title, body = words(kind, told)  # type: ignore[arg-type]
    at = datetime(2026, 5, 1, 12, 20, tzinfo=UTC)
    return Mail("n-1", 1, kind, title, body, told, at, email, True)


def letters(count: int = 1) -> list[EmailMessage]:
    maker = Letters("AIQLeads <noreply@example.org>", "https://leads.example.org")
    return [maker.letter(mail(email=f"buyer{number}@example.com")) for number in range(count)]


async def deliver(
    url: str, messages: Sequence[EmailMessage], *, context: ssl.SSLContext | None = None
) -> list[Delivery]:
    server = Smtp(SmtpServer.parse(url), context=context)
    return await asyncio.to_thread(server.deliver, messages, time.monotonic() + 60)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return folder


def serving(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate / "cert.pem"))


# --- letters -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_letter(kind: str) -> None:
    maker = Letters("AIQLeads <noreply@example.org>", "https://leads.example.org")
    letter = maker.letter(mail(kind))
    assert letter["From"] == "AIQLeads <noreply@example.org>"
    assert letter["To"] == "ann@example.com"
    assert letter["Message-ID"] == "<n-1@example.org>"
    text = letter.get_body(("plain",))
    html = letter.get_body(("html",))
    assert text is not None
    assert html is not None
    for part in (text.get_content(), html.get_content()):
        assert "Condominium in Austin" in part
        assert "https://leads.example.org" in part
        assert "$" not in part


def test_what_a_source_says_breaks_no_letter() -> None:
    """A city is what a source said; it must become neither a header nor markup."""
    city = "Austin\r\nBcc: everybody@example.com\r\n\r\n<script>alert(1)</script> $price"
    letter = Letters("noreply@example.org", "").letter(mail(city=city))
    assert letter["Bcc"] is None
    html = letter.get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content()
    assert b"Bcc" not in letter.as_bytes().split(b"\n\n")[0]


def test_without_a_public_url_there_is_no_link() -> None:
    text = Letters("noreply@example.org", "").letter(mail()).get_body(("plain",))
    assert text is not None
    assert "\nAIQLeads\n" in text.get_content().replace("\r", "")


# --- delivering ----------------------------------------------------------------------------


async def test_letters_arrive() -> None:
    async with mail_server() as server:
        done = await deliver(f"smtp://127.0.0.1:{server.port}", letters(3))
    assert done == [Delivery("sent")] * 3
    assert server.recipients() == [f"buyer{number}@example.com" for number in range(3)]
    _, message = server.mails[0]
    assert message["Subject"] == "Your hold ends in 10 minutes"


async def test_each_refusal_concerns_its_own_letter() -> None:
    async with mail_server() as server:
        server.answers = {
            "buyer1@example.com": "550 5.1.1 no buyer1@example.com here",
            "buyer2@example.com": "451 4.7.1 greylisted, later",
        }
        done = await deliver(f"smtp://127.0.0.1:{server.port}", letters(4))
    assert [each.outcome for each in done] == ["sent", "failed", "again", "sent"]
    # The server's words may quote an address: only its codes are kept.
    assert [each.error for each in done] == ["", "550 5.1.1", "451 4.7.1", ""]


async def test_a_server_that_is_away_costs_one_try() -> None:
    done = await deliver(f"smtp://127.0.0.1:{free_port()}", letters(3))
    assert [each.outcome for each in done] == ["again", "untried", "untried"]
    assert "refused" in done[0].error


async def test_a_server_that_hangs_up_in_between() -> None:
    async with mail_server() as server:
        server.answers = {"buyer1@example.com": "421 4.3.2 closing"}
        done = await deliver(f"smtp://127.0.0.1:{server.port}", letters(3))
    assert done[0].outcome == "sent"
    assert done[1].outcome == "again"
    assert len(done) == 3


async def test_nothing_is_begun_after_its_time() -> None:
    async with mail_server() as server:
        smtp = Smtp(SmtpServer.parse(f"smtp://127.0.0.1:{server.port}"))
        done = await asyncio.to_thread(smtp.deliver, letters(2), time.monotonic() - 1)
    assert done == [Delivery("untried")] * 2
    assert server.mails == []


async def test_tls_from_the_start(certificate: Path) -> None:
    async with mail_server(tls=serving(certificate)) as server:
        url = f"smtps://127.0.0.1:{server.port}"
        assert await deliver(url, letters(), context=trusting(certificate)) == [Delivery("sent")]
        (distrusted,) = await deliver(url, letters())
    assert distrusted.outcome == "again"
    assert "SSL" in distrusted.error
    assert len(server.mails) == 1


async def test_tls_when_it_is_offered(certificate: Path) -> None:
    async with mail_server(starttls=serving(certificate)) as server:
        url = f"smtp://ann:right%20horse@127.0.0.1:{server.port}"
        assert await deliver(url, letters(), context=trusting(certificate)) == [Delivery("sent")]
        (distrusted,) = await deliver(url, letters())
    assert server.over_tls == [True]
    assert server.logins == [("ann", "right horse")]
    assert distrusted.outcome == "again"


async def test_a_password_stays_here_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    async with mail_server(auth_require_tls=False) as server:
        url = f"smtp://ann:right%20horse@127.0.0.1:{server.port}"
        # To this machine itself it may go.
        assert await deliver(url, letters()) == [Delivery("sent")]
        monkeypatch.setattr("engine.adapters.smtp._is_loopback", lambda host: False)
        (kept,) = await deliver(url, letters())
        wrong = await deliver(f"smtp://127.0.0.1:{server.port}", letters())
    assert kept.outcome == "again"
    assert server.logins == [("ann", "right horse")]
    assert wrong == [Delivery("sent")]


@pytest.mark.parametrize("url", ["http://mail", "smtp://", "mail.internal:587", "smtp://h:x"])
def test_other_urls_are_refused_without_their_password(url: str) -> None:
    with pytest.raises(ValueError, match="smtp_url") as caught:
        SmtpServer.parse(url.replace("//", "//ann:secret@"))
    assert "secret" not in str(caught.value)


def test_ports_are_those_of_submission() -> None:
    assert SmtpServer.parse("smtp://mail.internal").port == 587
    assert SmtpServer.parse("smtps://mail.internal").port == 465
