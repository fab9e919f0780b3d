"""What is kept of fetched pages, in a real database."""

from __future__ import annotations

import asyncpg

from engine.adapters.postgres.fetched_pages import FetchedPage, known_pages, note_pages


async def test_pages_are_known_by_source_and_market(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        one = FetchedPage("http://a.example/1", '"t1"', "Mon, 01 Jan 2024 00:00:00 GMT", "h1")
        two = FetchedPage("http://a.example/2", None, None, "h2")
        await note_pages(connection, "fsbo", "austin", "run-1", [two, one])
        await note_pages(connection, "fsbo", "dallas", "run-2", [two])
        urls = [one.url, two.url, "http://a.example/3"]
        assert await known_pages(connection, "fsbo", "austin", urls) == {
            one.url: one,
            two.url: two,
        }
        assert await known_pages(connection, "fsbo", "dallas", urls) == {two.url: two}
        assert await known_pages(connection, "zillow", "austin", urls) == {}
        assert await known_pages(connection, "fsbo", "austin", []) == {}
    finally:
        await connection.close()


async def test_a_page_fetched_again_replaces_itself(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        old = FetchedPage("http://b.example/", '"old"', None, "old")
        new = FetchedPage("http://b.example/", None, None, "new")
        await note_pages(connection, "fsbo", "austin", "run-1", [old])
        await note_pages(connection, "fsbo", "austin", "run-2", [old, new])
        await note_pages(connection, "fsbo", "austin", "run-2", [])
        assert await known_pages(connection, "fsbo", "austin", [new.url]) == {new.url: new}
        rows = await connection.fetch("SELECT run_id FROM fetched_pages WHERE content_hash = 'new'")
        assert [row["run_id"] for row in rows] == ["run-2"]
    finally:
        await connection.close()
