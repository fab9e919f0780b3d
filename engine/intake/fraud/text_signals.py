"""What a listing's public text says that crooks say: counted by family, sentence by sentence.

The text is the masked one that buyers may read. Letters that were exchanged or drawn apart
against filters are read as what they stand for. A sentence that warns ("we never ask for…")
counts as a warning and as nothing else. English, and where it is simple Spanish.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from engine.intake.folded_text import FoldedText
from engine.intake.fraud.disguise import undisguised
from engine.intake.mask import MASK

TEXT_LENGTH_MAX: Final = 20_000
COUNT_MAX: Final = 5


class TextSignals(msgspec.Struct, frozen=True, kw_only=True):
    """How many sentences say something of each family, at most 5."""

    untraceable: int = 0
    instant_payment: int = 0
    pay_first: int = 0
    absent_owner: int = 0
    no_viewing: int = 0
    urgency: int = 0
    personal_data: int = 0
    paid_check: int = 0
    messenger: int = 0
    too_good: int = 0
    disowns: int = 0
    disguised: int = 0
    warning: int = 0
    sentences: int = 0
    masked: int = 0


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(rf"(?:{pattern})" for pattern in patterns))


_MONEY = (
    r"(?:\b(?:deposit|deposito|money|dinero|payment|pago|fees?|rent|renta|month|mes|sum|half"
    r"|dollars?|down payment|funds|card|tarjeta|anticipo)\b|\$ ?\d)"
)
# A gap within a sentence: short, so that the time stays linear.
_GAP = r".{0,50}?"

_PATTERNS: Final[dict[str, re.Pattern[str]]] = {
    "untraceable": _any(
        # Landlords give gift cards away; who wants to be paid by them is another matter.
        r"\b(?:pay|paid|send|sent|deposit|buy|take|accept|by|through|via|in)\b.{0,40}"
        r"\bgift ?cards?\b|\bgift ?cards?\b.{0,40}\b(?:holds?|reserves?|keeps?|secures?|only)\b",
        r"\b(?:steam|itunes|apple|google play|ebay|vanilla|prepaid) (?:gift )?cards?\b",
        r"\bwestern union\b|\bmoney ?gram\b|\bria transfer\b",
        r"\b(?:bitcoins?|btc|crypto(?:currency)?|usdt|ethereum|tether)\b",
        r"\b(?:bank|wire) (?:wire|transfer)\b|\bwire (?:me |us |the |it )|\bby wire\b",
        r"\btarjetas? de regalo\b|\btransferencia\b|\bgiro (?:postal|bancario)\b",
    ),
    "instant_payment": _any(
        r"\bzelle\b|\bcash ?app\b|\bvenmo\b|\bchime\b|\bpay ?pal\b|\bapple pay\b|\bgoogle pay\b",
    ),
    "pay_first": _any(
        rf"{_MONEY}{_GAP}\b(?:holds?|reserves?|secures?|keeps?|locks?|apartar|reservar|asegurar)\b",
        rf"\b(?:holds?|reserves?|secures?|keeps?)\b{_GAP}{_MONEY}",
        rf"\b(?:after|once|when|until|before|antes)\b{_GAP}{_MONEY}{_GAP}"
        r"\b(?:paid|arrived|received|sent|cleared|deposited|pagad[ao]|key|code|showing|tour)\b",
        rf"\b(?:paid|pay|send|sent|envie|mande|transfer)\b{_GAP}{_MONEY}{_GAP}"
        r"\b(?:first$|first then|then|luego|before|today|tonight|now|hour|keys?|code|yours)\b",
        rf"{_MONEY}{_GAP}\b(?:first$|first then|in advance|por adelantado)\b",
        rf"\bwhoever\b{_GAP}{_MONEY}",
        rf"{_MONEY}{_GAP}\b(?:arrived|is there|is yours|are yours)\b",
        r"\bcodes?\b.{0,30}\b(?:after|once|when)\b",
        r"\brefund(?:ed|able)\b.{0,40}\bif you (?:do not|don t) like\b",
    ),
    # No country is named: where somebody is says who they are, not what they are up to.
    "absent_owner": _any(
        r"\b(?:i|we|wife|husband|owner|estoy|estamos)\b.{0,40}\b(?:abroad|overseas|offshore"
        r"|out of the (?:country|states?)|fuera del pais|en el extranjero)\b",
        r"\b(?:deployed|deployment|missionary|mission (?:trip|work)|church mission|peacekeep\w*"
        r"|oil (?:rig|project)|united nations|working with the un)\b",
        r"\b(?:i|we) (?:am|are|was|were|live|moved|got transferred)\b.{0,40}\b(?:for (?:my |our )?"
        r"(?:work|job)|on a (?:project|mission|contract)|with the (?:army|navy|un|marines)"
        r"|with my (?:sick )?(?:mother|father|wife|husband|son|daughter))\b",
        r"\b(?:cannot|can t|nobody can|not able to)\b.{0,30}\b(?:come|be there|let you in)\b",
        r"\bmoved for good\b|\b(?:i|we) live\b.{0,20}\bnow\b.{0,60}\bmail\b",
    ),
    "no_viewing": _any(
        r"\b(?:drive|walk) ?(?:by|around)\b.{0,40}\b(?:only|outside|first)\b",
        r"\b(?:look|peek|peep)\b.{0,20}\bwindows?\b",
        r"\b(?:outside|exterior)\b.{0,15}\bonly\b|\baround the outside\b",
        r"\b(?:keys?|llaves?)\b.{0,50}\b(?:fedex|ups|dhl|usps|courier|mail(?:ed)?|shipped|post"
        r"|correo|paqueteria)\b",
        r"\b(?:fedex|ups|dhl|usps|courier|mail)\b.{0,40}\b(?:keys?|papers|documents|llaves?)\b",
        r"\b(?:all|everything)\b.{0,15}\bby mail\b",
        r"\b(?:no|not|cannot|can t)\b.{0,25}\b(?:showings?|viewings?|tours?|inside)\b.{0,20}"
        r"\b(?:now|possible|yet|available|until)\b",
        r"\btook the keys\b|\bkeys? (?:are |is )?with (?:me|us)\b",
        r"\b(?:lock ?box|door|gate|entry|self tour)\b.{0,40}\bcodes?\b",
    ),
    "urgency": _any(
        r"\b(?:by|before) (?:tonight|noon|tomorrow|midnight|the end of (?:the )?day)\b",
        r"\b(?:within|in) (?:the|an|one|the next) hour\b|\bright now\b|\bimmediately\b",
        r"\bact (?:fast|now)\b|\burgent(?:e)?\b|\bhurry\b|\bfirst to (?:pay|send)\b",
        r"\b(?:several|many|other|lots of) (?:people|renters|families|applicants)\b",
        r"\bwon t last\b|\bas soon as (?:today|possible)\b|\bhoy mismo\b",
    ),
    "personal_data": _any(
        r"\bssn\b|\bsocial\b(?=.{0,40}\b(?:birth|photo|licen[cs]e|id)\b)",
        # Not who lives on it.
        r"\bsocial security (?:number|no|card|digits)\b|\bseguro social\b",
        r"\bdate of birth\b|\bdob\b|\bfecha de nacimiento\b",
        # Offices want a photo ID; who wants a picture of one is another matter.
        r"\b(?:photo|picture|copy|scan|selfie|foto)s? (?:of|with|de|del|holding)\b.{0,25}"
        r"\b(?:id|licen[cs]e|passport|licencia)\b",
        r"\b(?:bank statements?|online banking|routing number|card number|mother s maiden)\b",
    ),
    "paid_check": _any(
        r"\b(?:order|get|buy|do|complete|pull|run|mail|send)\b.{0,25}\b(?:credit|background"
        r"|screening|rental|tenant)\b.{0,15}\b(?:report|check|score|screening)\b",
        r"\b(?:report|check(?! in\b)|score|screening)\b.{0,40}"
        r"\b(?:link|site|page|website|url|before|first|others do not)\b",
        r"\b(?:form|application)\b.{0,20}\bcosts?\b|\bfree (?:trial|for a dollar)\b|\b1 trial\b",
        rf"\b(?:fill|apply|application|form)\b{_GAP}\bbefore you (?:see|tour|view|visit)\b",
    ),
    "messenger": _any(
        r"\bwhats ?app\b|\btelegram\b|\bgoogle (?:chat|voice|hangouts?)\b|\bhangouts\b|\bwechat\b",
        r"\b(?:on|via|by|add me on|through|use) signal\b|\bsignal (?:me|app)\b|(?m:^)signal\b",
        r"\b(?:private|personal|my) (?:g ?mail|e ?mail|inbox)\b",
        r"\bmy phone is (?:broken|off|dead|lost)\b|\bdo not (?:pick up|answer|take) calls\b",
        r"\btext (?:me )?only\b|\bno calls\b",
    ),
    "too_good": _any(
        r"\bno (?:credit|background|bank|checks?|questions)\b",
        r"\b(?:bad credit|evictions?)\b.{0,30}\b(?:ok|okay|fine|welcome|accepted)\b",
        r"\b(?:every(?:body|one)|all|guaranteed)\b.{0,12}\bapprov\w+\b",
        r"\bmonths?\b.{0,15}\bhalf off\b|\bcheapest\b|\bmoney is not\b",
        r"\brent to own\b|\bowner financ\w+\b|\blease to own\b",
        r"\b(?:someone|somebody|tenant)\b.{0,30}\b(?:take (?:good )?care|keeps? it|their own)\b",
    ),
    "disowns": _any(
        r"\bignore\b.{0,40}\b(?:sign|ad|agent|listing|price)\b|\btake down the sign\b",
        r"\b(?:sign|agent|realtor|page|pages|site|ad)\b.{0,40}\b(?:former|no longer|out of date"
        r"|still there|old one)\b",
        r"\b(?:former|old) agent\b|\b(?:the|that|any|an) other (?:ad|listing)\b",
        r"\b(?:do not|don t|please not)\b.{0,10}\b(?:disturb|knock|bother|ask)\b",
        r"\bbought it (?:lately|recently)\b|\bsold it to us\b",
    ),
}  # fmt: skip
_WARNING = _any(
    r"\b(?:scam\w*|fraud\w*|estafas?|beware|imposters?)\b",
    r"\b(?:never|nunca|won t|will not|do not|don t|no)\b.{0,20}\b(?:ask|wire|pide|pedimos|pedir"
    r"|send|pay|payment|money)\b",
)
# A licensed hand, an office or somebody who opens the door: what only an honest offer needs.
_SHOWN = _any(
    r"\b(?:agent|manager|sister|brother|neighbou?r|office|broker|title company)\b.{0,40}"
    r"\b(?:shows?|meets?|opens?|keys|signs?|lives)\b",
    r"\bafter (?:a|the|your|you have) tour(?:ed)?\b|\bat (?:the|our) (?:leasing )?office\b"
    r"|\btitle company\b|\bat signing\b",
)
_SENTENCE = re.compile(r"[^.!?;\n]+")
_MASK_MARK = " \x00 "
_NOT_PROSE = re.compile(r"[^a-z0-9$\x00]+")
# Of these families a sentence means nothing that somebody who shows the home is in, or that says
# what honest people say: offices charge fees by name and give cards away, and who offers a
# messenger beside a call moves nobody out of sight.
_GIVEN = r"\b(?:free|off|special|get|receive|earn|win|bonus|boot)\b"
_CALLED = "(?:calls?|texts?|sms|phone)"
_MESSENGER = "(?:whats ?app|telegram|signal)"
_EXCUSES: Final[dict[str, re.Pattern[str]]] = {
    **dict.fromkeys(("absent_owner", "paid_check", "no_viewing", "too_good"), _SHOWN),
    "untraceable": _any(
        rf"{_GIVEN}.{{0,40}}\bgift ?cards?\b", rf"\bgift ?cards?\b.{{0,40}}{_GIVEN}"
    ),
    "pay_first": _any(
        _SHOWN.pattern,
        r"\b(?:admin(?:istrative|istration)?|application|holding|reservation) fees?\b",
        r"\bmonths? (?:free|off)\b|\bfree (?:month|rent)\b",
    ),
    "messenger": _any(
        _SHOWN.pattern,
        rf"\b{_CALLED}\b.{{0,10}}\b(?:or|and|also)\b.{{0,20}}\b{_MESSENGER}\b",
        rf"\b{_MESSENGER}\b.{{0,20}}\b(?:or|and|also)\b.{{0,10}}\b{_CALLED}\b",
        rf"\bor (?:on |by |via )?{_MESSENGER}\b",
        rf"\b{_MESSENGER} (?:is )?(?:fine|ok|okay|too|also|works)\b",
        r"\b(?:i|we)(?: can| will| ll)? show (?:it|you|the)\b",
        r"\bver (?:la casa|el apartamento|la propiedad)\b",
    ),
}


def text_signals(remarks: str | None) -> TextSignals:
    """Of the first 20,000 characters. Takes time linear in the text."""
    if not remarks:
        return TextSignals()
    text = remarks[:TEXT_LENGTH_MAX]
    masked = text.count(MASK)
    read = undisguised(FoldedText(text.replace(MASK, _MASK_MARK)).text)
    sentences = list(_sentences(read.text))
    told = [each for each in sentences if not _WARNING.search(each)]
    counts = {
        family: _saying(pattern, _EXCUSES.get(family), told)
        for family, pattern in _PATTERNS.items()
    }
    bounded = {family: min(count, COUNT_MAX) for family, count in counts.items()}
    return TextSignals(
        **bounded,
        disguised=min(read.disguised, COUNT_MAX),
        warning=min(len(sentences) - len(told), COUNT_MAX),
        sentences=len(sentences),
        masked=masked,
    )


def _saying(
    pattern: re.Pattern[str], excuse: re.Pattern[str] | None, sentences: Sequence[str]
) -> int:
    """How many sentences say it without an excuse. Most texts say nothing, and one look tells:
    no pattern goes over the end of a line."""
    if not pattern.search("\n".join(sentences)):
        return 0
    saying = [each for each in sentences if pattern.search(each)]
    return len(saying) if excuse is None else sum(not excuse.search(each) for each in saying)


def _sentences(text: str) -> Iterator[str]:
    for match in _SENTENCE.finditer(text):
        sentence = _NOT_PROSE.sub(" ", match[0]).strip()
        if sentence:
            yield sentence
