"""The API on Ray Serve: replicas that share a port of their own, and as Serve's ingress.

The tests of this module share one launch and run in order.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time

import httpx
import psutil
import pytest
from pydantic import SecretStr

from engine.adapters.local.ports import free_ports
from engine.settings import Settings

FORM = {"email": "serve@example.com", "password": "correct horse", "full_name": "Ser Ve"}


@pytest.fixture(scope="module")
def serving(settings: Settings) -> Settings:
    """Settings of a launched market with two replicas on a free port."""
    from actors.launch import launch

    port = free_ports(1)[0]
    launch(settings)
    return settings.model_copy(
        update={"http_port": port, "api_replicas": 2, "jwt_secret": SecretStr("s" * 40)}
    )


def _until_answered(url: str, seconds: float = 30) -> httpx.Response:
    deadline = time.monotonic() + seconds
    while True:
        try:
            answered = httpx.get(url, timeout=5)
            if answered.status_code < 500 or time.monotonic() > deadline:
                return answered
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _replicas(base: str, asked: int = 40) -> set[str]:
    """Request ids begin with eight characters that name the replica.

    A connection may be lost with a replica that was killed.
    """
    found = set()
    for _ in range(asked):
        with contextlib.suppress(httpx.TransportError):
            found.add(httpx.get(f"{base}/healthz").headers["x-request-id"][:8])
    return found


def test_two_replicas_share_the_port(serving: Settings) -> None:
    from serve_apps.build import run

    run(serving)
    base = f"http://127.0.0.1:{serving.http_port}"
    _until_answered(f"{base}/readyz")
    assert len(_replicas(base)) == 2
    markets = httpx.get(f"{base}/v1/markets").json()["items"]
    assert [market["market"] for market in markets] == ["reno", "boise"]
    assert httpx.post(f"{base}/v1/auth/register", json=FORM).status_code == 201


def test_a_killed_replica_is_replaced_while_the_other_serves(serving: Settings) -> None:
    base = f"http://127.0.0.1:{serving.http_port}"
    before = _replicas(base)
    listening = [
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == "LISTEN" and connection.laddr.port == serving.http_port
    ]
    assert len(listening) == 2
    os.kill(listening[0], signal.SIGKILL)
    deadline = time.monotonic() + 90
    while len(now := _replicas(base)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert len(now & before) == 1


def test_the_same_api_behind_serves_ingress(serving: Settings) -> None:
    from ray import serve

    from serve_apps.build import APP_NAME, INGRESS_NAME, ingress_app

    serve.delete(APP_NAME)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{serving.http_port}/healthz")
    serve.shutdown()

    port = free_ports(1)[0]
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    try:
        serve.run(ingress_app(serving), name=INGRESS_NAME, route_prefix="/")
        base = f"http://127.0.0.1:{port}"
        assert _until_answered(f"{base}/readyz").json()["status"] == "ready"
        login = {"email": FORM["email"], "password": FORM["password"]}
        tokens = httpx.post(f"{base}/v1/auth/login", json=login).json()
        signed_in = {"authorization": f"Bearer {tokens['access_token']}"}
        assert httpx.get(f"{base}/v1/wallet", headers=signed_in).status_code == 200
        missing = httpx.post(
            f"{base}/v1/leads/nowhere/buy", headers=signed_in | {"idempotency-key": "k"}
        )
        assert missing.status_code == 404
        assert missing.headers["content-type"] == "application/problem+json"
    finally:
        serve.shutdown()
