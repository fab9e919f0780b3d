"""The feed mappings of this installation: those shipped, and the operator's own."""

from __future__ import annotations

from pathlib import Path

from engine.intake.feed.mapping import Mapping
from engine.intake.feed.mapping_text import mapping_of

DEFAULT_FOLDER = Path(__file__).with_name("intake") / "mappings"


def load_mappings(folder: Path | None = None) -> dict[str, Mapping]:
    """Mappings by name, those of `folder` in place of shipped ones of the same name.

    Raises ValueError naming the bad file, mapping and field, or a folder that is not
    there.
    """
    mappings = _of_folder(DEFAULT_FOLDER)
    if folder is not None:
        if not folder.is_dir():
            raise ValueError(f"AIQLEADS_MAPPINGS_DIR={folder} is not a folder")
        mappings |= _of_folder(folder)
    return mappings


def _of_folder(folder: Path) -> dict[str, Mapping]:
    found: dict[str, Mapping] = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: not UTF-8: {error}") from error
        mapping = mapping_of(text, str(path))
        if mapping.name in found:
            raise ValueError(f"{path}: mapping {mapping.name} is in this folder twice")
        found[mapping.name] = mapping
    return found
