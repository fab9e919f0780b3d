"""Take the market off the air in order; run by `down` as a process with a deadline.

First Serve, so that replicas close their sockets with 1012 and finish what is
in flight, then the actors, so that books commit what they hold.
"""

from __future__ import annotations

from engine.adapters.local.effective_settings import resolve_settings


def drain() -> None:
    """Raises what Ray raises when the cluster can't be joined."""
    settings = resolve_settings()
    from ray import serve

    from actors.launch import connect, stop_actors

    connect(settings)
    serve.shutdown()  # type: ignore[no-untyped-call]
    stop_actors(settings)


if __name__ == "__main__":
    drain()
