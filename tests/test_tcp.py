"""Ports: the wanted one where it is free, another where it is not, and none where there can be none."""

from __future__ import annotations

import socket
import sys

import pytest

from pipeline.tcp import PORTS, free_port, held_port, listens

HOST = "127.0.0.1"


def test_the_wanted_port_is_given_when_it_is_free() -> None:
    with held_port(HOST) as port:
        assert free_port(HOST, port) == port


def test_a_port_that_somebody_listens_on_is_not_given() -> None:
    with held_port(HOST) as port:
        with socket.create_server((HOST, port)):
            assert listens(HOST, port)
            assert free_port(HOST, port) not in {port, 0}
        assert not listens(HOST, port)


def test_a_port_given_to_somebody_else_is_not_given_again() -> None:
    port = free_port(HOST)
    assert free_port(HOST, port, taken={port}) != port


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a port be held")
def test_a_port_that_is_held_for_a_server_is_not_given_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with held_port(HOST) as held:
        # As it may fall to somebody who starts a server at the same time.
        monkeypatch.setattr("random.sample", lambda _ports, _count: [held, held + 1, held + 2])
        for host in (HOST, ""):
            assert free_port(host) != held
        for _ in range(2):
            with socket.create_server((HOST, held)), socket.create_connection((HOST, held)):
                assert listens(HOST, held)


def test_any_port_is_given_where_none_is_wanted() -> None:
    assert free_port("") in PORTS


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(OSError, match="assign"):
        free_port("192.0.2.1")
