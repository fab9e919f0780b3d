import random
import socket

import pytest

from engine.adapters.local.ports import HIGHEST, LOWEST, free_port, free_ports, is_free


def test_ports_lie_below_the_ephemeral_range_and_differ() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert all(LOWEST <= port < HIGHEST < 32768 for port in ports)


def test_a_port_shared_by_reuseport_is_not_free() -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        assert not is_free("127.0.0.1", taken.getsockname()[1])
        assert not is_free("0.0.0.0", taken.getsockname()[1])


def test_the_preferred_port_is_taken_if_free() -> None:
    wanted = free_port()
    assert free_port(preferred=wanted) == wanted
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", wanted))
        taken.listen()
        assert free_port(preferred=wanted) != wanted


def test_two_that_start_together_draw_different_ports() -> None:
    one = free_ports(3, rng=random.Random(1))
    other = free_ports(3, rng=random.Random(2))
    assert one != other


def test_a_foreign_address_is_an_error() -> None:
    with pytest.raises(OSError, match="assign"):
        is_free("203.0.113.1", 21000)
