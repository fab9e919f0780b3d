"""E-mails made of templates: a text and its HTML, with nothing in them but a lead's public facts.

A kind's template is `mail_templates/<kind>.txt`, with `$title`, `$body` and every fact of the
notification; blank lines part its paragraphs.
"""

from __future__ import annotations

import re
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from html import escape
from importlib.resources import files
from string import Template

from engine.adapters.postgres.mail_outbox import Mail
from engine.market.notices import KINDS

_SUBJECT_MAX = 150


class Letters:
    """`mail_from` like "AIQLeads <noreply@example.com>"; `public_url` may be empty.

    Raises ValueError if `mail_from` has no address.
    """

    def __init__(self, mail_from: str, public_url: str) -> None:
        self._from = mail_from
        address = parseaddr(mail_from)[1]
        if "@" not in address:
            raise ValueError(f"mail_from {mail_from!r} has no e-mail address")
        self._domain = address.rpartition("@")[2]
        folder = files("engine.adapters") / "mail_templates"
        self._texts = {kind: Template((folder / f"{kind}.txt").read_text()) for kind in KINDS}
        self._html = Template((folder / "letter.html").read_text())
        footer = Template((folder / "footer.txt").read_text())
        self._footer = re.sub(r" +$", "", footer.substitute(link=public_url), flags=re.M).strip()

    def letter(self, mail: Mail) -> EmailMessage:
        """The message; a second try has the same Message-ID, so that receivers can tell."""
        text = self._texts[mail.kind].safe_substitute(mail.facts, title=mail.title, body=mail.body)  # type: ignore[index]
        message = EmailMessage()
        message["Subject"] = " ".join(mail.title.split())[:_SUBJECT_MAX]
        message["From"] = self._from
        message["To"] = mail.email
        message["Date"] = format_datetime(mail.created_at)
        message["Message-ID"] = f"<{mail.notification_id}@{self._domain}>"
        # RFC 3834: no holiday notes in answer.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(f"{text.strip()}\n\n{self._footer}\n")
        message.add_alternative(self._as_html(mail.title, text), subtype="html")
        return message

    def _as_html(self, title: str, text: str) -> str:
        paragraphs = re.split(r"\n\s*\n", text.strip())
        footer = self._footer.removeprefix("--").strip()
        return self._html.substitute(
            title=escape(title),
            paragraphs="\n".join(f"<p>{escape(each)}</p>" for each in paragraphs),
            footer=escape(footer).replace("\n", "<br>"),
        )
