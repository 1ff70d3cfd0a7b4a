"""What clients, proxies and operators meet first: HTTP as they write it, addresses, prefixes, settings that are wrong."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Service, served
from stories import Story


@pytest.fixture(scope="module")
def service(bistro: Story, tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("door")
    with served(Service(bistro, tools, folder / "log", {"DATABASE_URL": f"sqlite:///{folder}/bistro.db"})) as service:
        yield service


def ask_raw(connection: socket.socket, method: str, path: str, token: str) -> tuple[str, str]:
    """The head of the response, and what comes after it before the server waits."""
    request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    connection.sendall(request.encode())
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    connection.settimeout(0.3)
    try:
        while more := connection.recv(65536):
            received += more
    except TimeoutError:
        pass
    connection.settimeout(None)
    head, body = received.decode().split("\r\n\r\n", 1)
    return head, body


@pytest.mark.parametrize("path", ["/tables", "/bookings.csv", "/health/ready", "/docs", "/nowhere"])
def test_a_head_has_no_body_and_leaves_the_connection_as_it_was(service: Service, path: str) -> None:
    token = service.token("max")
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        # Twice: what was left of the first one would be read as the second.
        for _ in range(2):
            head, body = ask_raw(connection, "HEAD", path, token)
            status = "404 Not Found" if path == "/nowhere" else "200 OK"
            assert head.splitlines()[0] == f"HTTP/1.1 {status}"
            assert body == ""
        head, body = ask_raw(connection, "GET", path, token)
        assert head.splitlines()[0] == f"HTTP/1.1 {status}" and body != ""


def test_a_plus_that_is_a_blank(service: Service) -> None:
    token = service.token("sam", "staff")
    moment = "/bookings?starts_at_from=2030-01-01T00:00:00"
    assert service.ask("GET", f"{moment}%2B01:00", token).status == 200
    blank = service.ask("GET", f"{moment}+01:00", token)
    assert blank.status == 422
    (error,) = blank.body["errors"]
    assert error == {"parameter": "starts_at_from", "detail": "The + of the time zone must be sent as %2B"}
