"""In which language a listing is written."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from engine.intake.cleaning.notes import noted
from engine.intake.record import SourceRecord

LANGUAGES = ("en", "es", "fr", "de", "it", "pt", "zh", "ja", "ko", "vi", "tl", "ru", "ar", "hi")
_LETTERS_LEAST = 60
_LENGTH_MAX = 500
_WORD = re.compile(r"[a-záéíóúñü]+")
# Words of nearly every sentence, and of nearly every listing, in one language and not the other.
_ENGLISH = frozenset(
    {
        *("the", "and", "with", "for", "this", "is", "are", "to", "of", "in", "on", "you"),
        *("your", "our", "at", "from", "bed", "bedroom", "bedrooms", "bath", "kitchen", "home"),
        *("homes", "apartment", "apartments", "pool", "parking", "washer", "dryer", "floor"),
        *("floors", "available", "rent", "free", "house", "room", "living", "new", "closets"),
    }
)
_SPANISH = frozenset(
    {
        *("el", "la", "los", "las", "de", "del", "con", "para", "una", "un", "es", "en", "y"),
        *("que", "por", "su", "al", "cerca", "casa", "cuarto", "cuartos", "baño", "baños"),
        *("cocina", "recamara", "recamaras", "recámaras", "renta", "venta", "apartamento"),
        *("apartamentos", "disponible", "estacionamiento", "nuevo", "nueva", "sala"),
    }
)
_WORDS_LEAST = 4
_MODEL_CONFIDENCE_LEAST = 0.95


def clean_language(record: SourceRecord) -> SourceRecord:
    """The record with the language of its text noted, where the source states none."""
    if record.language is not None or record.remarks is None or "language" in record.notes:
        return record
    found = language_of(record.remarks)
    if found is None:
        return record
    return noted(record, "language-of-remarks", found[1], language=found[0])


def language_of(text: str) -> tuple[str, float] | None:
    """(ISO 639-1 code, confidence); None of fewer than 60 letters, and of no clear language.

    Its common words tell English and Spanish; only a text that has too few of either is
    shown to the model, which takes 100 MB when it is first asked.
    """
    text = text[:_LENGTH_MAX]
    if sum(map(str.isalpha, text)) < _LETTERS_LEAST:
        return None
    words = _WORD.findall(text.lower())
    english = sum(map(_ENGLISH.__contains__, words))
    spanish = sum(map(_SPANISH.__contains__, words))
    if english >= _WORDS_LEAST and english > 3 * spanish:
        return "en", 0.95
    if spanish >= _WORDS_LEAST and spanish > 3 * english:
        return "es", 0.95
    return _by_model(text)


def _by_model(text: str) -> tuple[str, float] | None:
    # In a listing's clipped phrases (`3BR 2BA POOL`) the case is no hint.
    language, confidence = _model().classify(text.lower())
    if confidence < _MODEL_CONFIDENCE_LEAST:
        return None
    return str(language), round(float(confidence) * 0.95, 2)


@lru_cache(maxsize=1)
def _model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LANGUAGES))
    return identifier
