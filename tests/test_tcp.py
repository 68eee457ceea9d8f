"""Ports: the wanted one where it is free, another where it is not, and none where there can be none."""

from __future__ import annotations

import socket

import pytest

from pipeline.tcp import PORTS, free_port, listens

HOST = "127.0.0.1"


def test_the_wanted_port_is_given_when_it_is_free() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
    assert free_port(HOST, port) == port


def test_a_port_that_somebody_listens_on_is_not_given() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        assert listens(HOST, port)
        assert free_port(HOST, port) in PORTS
    assert not listens(HOST, port)


def test_a_port_given_to_somebody_else_is_not_given_again() -> None:
    port = free_port(HOST)
    assert free_port(HOST, port, taken={port}) != port


def test_any_port_is_given_where_none_is_wanted() -> None:
    assert free_port("") in PORTS


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(OSError, match="assign"):
        free_port("192.0.2.1")
