"""A market of any size as columns of features, straight from made-up homes.

Rendering and parsing a million records would take longer than all that is measured; the
sample world measures quality. Here only the load counts: as many rows, blocking keys and
near-equal homes as a market of that size would have.
"""

from __future__ import annotations

import h3
import numpy as np
from numpy.typing import NDArray

from engine.intake.resolution.columns import CELLS, DTYPES, Column
from engine.intake.resolution.features import CELL_RESOLUTION, MatchFeatures, hash32
from engine.intake.resolution.text_sketch import PLACES

RECORDS_PER_HOME = 1.7
_STREETS = 8_000
_FLATS_SHARE = 0.4
_FLATS_A_BUILDING = 24
_PLANS = 4
_AGENTS = 4_000
_SOURCES = 8
_METRO = (32.3, -97.5, 1.1, 1.3)
_STEP = 1e-4


def made_up_rows(records: int, seed: int) -> tuple[dict[str, Column], NDArray[np.int64]]:
    """(columns with cells, home of each row). Rows come mixed; the same seed, the same."""
    rng = np.random.default_rng(seed)
    homes = max(1, round(records / RECORDS_PER_HOME))
    home = np.concatenate([np.arange(homes), rng.integers(0, homes, records - homes)])
    rng.shuffle(home)
    return _seen(_homes(homes, rng), home, rng), home


def as_features(columns: dict[str, Column], start: int, stop: int) -> list[MatchFeatures]:
    """Rows as they come to the desk, each with its seven H3 cells."""
    rows = []
    for row in range(start, stop):
        fields = {name: columns[name][row].item() for name in DTYPES}
        place = columns["latitude"][row] * _STEP, columns["longitude"][row] * _STEP
        cells = _cells_around(*place) if columns["latitude"][row] else b""
        rows.append(MatchFeatures(**fields, text=columns["text"][row].tobytes(), cells=cells))
    return rows


def _homes(count: int, rng: np.random.Generator) -> dict[str, Column]:
    """One row for each home: streets of houses, buildings of flats with a few plans."""
    is_flat = np.arange(count) < count * _FLATS_SHARE
    building = np.where(is_flat, np.arange(count) // _FLATS_A_BUILDING, np.arange(count))
    plan = building * _PLANS + np.where(is_flat, np.arange(count) % _PLANS, 0)
    street = _mixed(building, 1) % _STREETS + 1
    south, west, height, width = _METRO
    is_lease = is_flat | (rng.random(count) < 0.2)
    area = 400 + _mixed(plan, 2) % 2_600
    level = 0.85 + 0.3 * rng.random(count)
    return {
        "number": _mixed(building, 3) % 12_000 + 1,
        "street": street,
        "unit": np.where(is_flat, np.arange(count) % _FLATS_A_BUILDING + 1, 0),
        "postal_code": street % 180 + 1,
        "latitude": ((south + height * (_mixed(building, 4) % 99_991 / 99_991)) / _STEP),
        "longitude": ((west + width * (_mixed(building, 5) % 99_991 / 99_991)) / _STEP),
        "kind": np.where(is_lease, 1, 2),
        "sub_type": np.where(is_flat, 4, 1),
        "bedrooms": _mixed(plan, 6) % 5,
        "area": area,
        "year": 1950 + _mixed(building, 7) % 75,
        "price": np.round(np.where(is_lease, 450 + 1.4 * area, 240 * area) * level, -1),
        "agent": _mixed(building, 8) % _AGENTS + 1,
        "text": np.where(is_flat & (rng.random(count) < 0.7), plan, count * 9 + np.arange(count)),
    }


def _seen(
    homes: dict[str, Column], home: NDArray[np.int64], rng: np.random.Generator
) -> dict[str, Column]:
    """One row for each record: its home's facts, some left out, some slightly off."""
    count = len(home)
    said = {name: values[home] for name, values in homes.items()}

    def in_share(share: float) -> NDArray[np.bool_]:
        chosen: NDArray[np.bool_] = rng.random(count) < share
        return chosen

    has_door, has_point = in_share(0.87), in_share(0.95)
    owner, agents = said["agent"] + 1_000_000 + home, said["agent"]
    source = rng.integers(1, _SOURCES + 1, count)
    off = np.where(in_share(0.1), rng.uniform(0.92, 1.0, count), 1.0)
    jitter = rng.normal(0, 4, (2, count))
    columns = {name: np.zeros(count, dtype=dtype) for name, dtype in DTYPES.items()}
    columns |= {
        "identity": np.arange(count, dtype=np.int64),
        "source": source.astype(np.uint32),
        "stable_ids": source > 3,
        "number": np.where(has_door, _hashed(said["number"], 11), 0).astype(np.uint32),
        "street": np.where(has_door, _hashed(said["street"], 12), 0).astype(np.uint32),
        "whole_street": np.where(has_door, _hashed(said["street"], 13), 0).astype(np.uint32),
        "street_letters": _mixed(said["street"], 14).astype(np.int64),
        "unit": np.where(has_door & in_share(0.95), said["unit"], 0).astype(np.uint32),
        "postal_code": np.where(in_share(0.95), said["postal_code"], 0).astype(np.uint32),
        "latitude": np.where(has_point, said["latitude"] + jitter[0], 0).astype(np.int32),
        "longitude": np.where(has_point, said["longitude"] + jitter[1], 0).astype(np.int32),
        "kind": said["kind"].astype(np.uint8),
        "sub_type": said["sub_type"].astype(np.uint8),
        "bedrooms": np.where(in_share(0.98), said["bedrooms"], -1).astype(np.int16),
        "half_bathrooms": np.full(count, -1, dtype=np.int16),
        "area": np.where(in_share(0.9), said["area"], -1).astype(np.int32),
        "lot": np.full(count, -1, dtype=np.int32),
        "year": np.where(in_share(0.6), said["year"], -1).astype(np.int16),
        "price": np.round(said["price"] * off, -1).astype(np.int32),
        "phone": np.where(in_share(0.7), np.where(in_share(0.5), agents, owner), 0).astype(
            np.uint32
        ),
        "email": np.where(in_share(0.4), agents, 0).astype(np.uint32),
        "text": np.where(in_share(0.6)[:, None], _sketches(said["text"]), 0).astype(np.uint16),
        "cells": _own_cells(said, has_point),
    }
    return columns


def _sketches(text: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.stack([_mixed(text, 100 + place) % 65_536 for place in range(PLACES)], axis=1)


def _own_cells(said: dict[str, Column], has_point: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Only the cell itself: under it a row is kept, the others serve to look it up."""
    cells = np.zeros((len(has_point), CELLS), dtype=np.uint32)
    for row in np.flatnonzero(has_point):
        place = said["latitude"][row] * _STEP, said["longitude"][row] * _STEP
        cells[row, 0] = hash32(h3.latlng_to_cell(*place, CELL_RESOLUTION))
    return cells


def _cells_around(latitude: float, longitude: float) -> bytes:
    cell = h3.latlng_to_cell(latitude, longitude, CELL_RESOLUTION)
    around = (cell, *sorted(set(h3.grid_disk(cell, 1)) - {cell}))
    return b"".join(hash32(each).to_bytes(4, "little") for each in around)


def _hashed(values: Column, salt: int) -> NDArray[np.int64]:
    return _mixed(values, salt) % (2**32 - 1) + 1


def _mixed(values: Column, salt: int) -> NDArray[np.int64]:
    mixed = (values.astype(np.uint64) + np.uint64(salt)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xD6E8FEB86659FD93)
    return (mixed >> np.uint64(2)).astype(np.int64)
