"""Artefacts come back as they were written, or not at all."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from engine.adapters import model_store
from engine.adapters.model_store import ArtefactLost, ArtefactSpoilt, ModelStore

CONTENT = b"a model" * 100


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ModelStore:
    url = (tmp_path / "models").as_uri() if request.param == "file" else f"memory:/{tmp_path}"
    return ModelStore(url)


def test_it_comes_back(store: ModelStore) -> None:
    url, sha256 = store.put("fraud", CONTENT)
    assert sha256 in url
    assert model_store.read(url, sha256, len(CONTENT)) == CONTENT
    assert store.put("fraud", CONTENT) == (url, sha256)


def test_what_was_damaged_is_written_anew(store: ModelStore, tmp_path: Path) -> None:
    url, sha256 = store.put("fraud", CONTENT)
    _overwrite(url, CONTENT[:10])
    store.put("fraud", CONTENT)
    assert model_store.read(url, sha256, len(CONTENT)) == CONTENT


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (CONTENT[:-1], "has 699 bytes instead of 700"),
        (CONTENT + b"!", "has more than 700 bytes"),
        (b"b" + CONTENT[1:], "it was changed"),
    ],
)
def test_another_file_is_refused(store: ModelStore, content: bytes, reason: str) -> None:
    url, sha256 = store.put("fraud", CONTENT)
    _overwrite(url, content)
    with pytest.raises(ArtefactSpoilt, match=reason):
        model_store.read(url, sha256, len(CONTENT))


def test_a_lost_one_says_so(store: ModelStore) -> None:
    url, sha256 = store.put("fraud", CONTENT)
    with pytest.raises(ArtefactLost, match="is not there"):
        model_store.read(url + "x", sha256, len(CONTENT))
    with pytest.raises(ArtefactLost, match="nosuch"):
        model_store.read("nosuch://models/x", sha256, len(CONTENT))


def test_a_length_beyond_all_bounds_is_not_read(store: ModelStore) -> None:
    url, sha256 = store.put("fraud", CONTENT)
    with pytest.raises(ArtefactSpoilt, match="are more than"):
        model_store.read(url, sha256, model_store.SIZE_BYTES_MAX + 1)


def test_a_store_that_can_not_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file, no folder")
    with pytest.raises(ArtefactLost, match="can't be written"):
        ModelStore((tmp_path / "models").as_uri()).put("fraud", CONTENT)


def test_the_default_is_in_the_data_directory(tmp_path: Path) -> None:
    assert model_store.store_url("", tmp_path) == (tmp_path / "models").as_uri()
    assert model_store.store_url("s3://bucket/models", tmp_path) == "s3://bucket/models"


def test_secrets_of_a_url_are_not_told() -> None:
    told = model_store.without_secrets("https://user:word@models.internal/fraud/x?key=secret")
    assert told == "https://models.internal/fraud/x"


def _overwrite(url: str, content: bytes) -> None:
    files, path = model_store._files(url)
    files.pipe_file(path, content)


class BrokenStore(MemoryFileSystem):
    """A store whose library raises what nobody else's does."""

    protocol = "broken"

    def open(self, path: str, mode: str = "rb", **more: object) -> object:
        raise NoCredentials("unable to locate credentials")

    def exists(self, path: str, **more: object) -> bool:
        raise NoCredentials("unable to locate credentials")


class NoCredentials(Exception):
    """As a store's library has it: of no common kind."""


def test_what_a_store_s_library_raises_speaks_not_against_the_artefact() -> None:
    fsspec.register_implementation("broken", BrokenStore, clobber=True)
    with pytest.raises(ArtefactLost, match="unable to locate credentials"):
        model_store.read("broken://models/a", "", 7)
    with pytest.raises(ArtefactLost, match="unable to locate credentials"):
        ModelStore("broken://models").put("fraud", b"content")
