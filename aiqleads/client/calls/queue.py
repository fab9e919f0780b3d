"""The line for a lead whose seats are all taken."""

from __future__ import annotations

from aiqleads.client.answers.fields import Page
from aiqleads.client.answers.queue import Place, QueueItem
from aiqleads.client.calls.call import Call, decoded, keyed_write, nothing, path, read_call
from aiqleads.client.calls.leads import PAGE_SIZE_MAX, parameters


def join_queue(lead_id: str, *, key: str | None = None) -> Call[Place]:
    """Wait in line. When a seat comes free it is offered to the first for a short time: take
    it with `hold` or `buy`."""
    return keyed_write("POST", path("leads", lead_id, "queue"), decoded(Place), key=key)


def place(lead_id: str) -> Call[Place]:
    """This buyer's place in a line, with the seat that is offered if one is."""
    return read_call(path("leads", lead_id, "queue"), decoded(Place))


def leave_queue(lead_id: str, *, key: str | None = None) -> Call[None]:
    """Leave the line, or decline the seat offered."""
    return keyed_write("DELETE", path("leads", lead_id, "queue"), nothing, key=key)


def queue(*, page_size: int = PAGE_SIZE_MAX) -> Call[Page[QueueItem]]:
    """Every place in line: seats offered first, the soonest to end before the others."""
    return read_call(path("queue"), decoded(Page[QueueItem]), parameters({"limit": page_size}))
