"""Raw HTTP of all bad kinds, over plain sockets, at a served bistro: it answers as it says it does, and goes on.

pytest -s tests/test_attack.py                     500 requests in development, 500 in production
REQUESTS=10000 pytest -s tests/test_attack.py      ten thousand in each
"""

import base64
import gzip
import json
import os
import re
import socket
import struct
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from serving import Service, database_of, provider, served
from stories import Story

REQUESTS = int(os.environ.get("REQUESTS", "500"))
SEED = os.environ.get("SEED", "bistro")
AT_ONCE = 32
# Seconds without a byte, after which the client gives up; the service gives up earlier.
SILENCE = 3
HURRY = "from bistro.web import middleware; middleware.BODY_TIMEOUT = 0.5"
ROLES = {"ann": ["guest"], "bob": ["guest"], "sam": ["staff"], "max": ["manager"]}
LIMIT = 1_048_576
# What is sent wherever something may be secret; no log has it.
SECRET = "0170-7654321"

GUARDED = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
# All that the server itself says, of what is no HTTP.
NO_HTTP = b"Invalid HTTP request received."


@dataclass
class Sent:
    """A request that was good, before the attack changed it."""

    method: bytes
    target: bytes
    headers: list[bytes]
    token: str
    fields: dict[str, Any]
    body: bytes = b""
    version: bytes = b"HTTP/1.1"
    framing: list[bytes] | None = None
    ending: list[bytes] = field(default_factory=lambda: [b"Connection: close"])

    def written(self) -> bytes:
        length = b"Content-Length: %d" % len(self.body)
        framing = ([length] if self.body else []) if self.framing is None else self.framing
        line = b" ".join([self.method, self.target, self.version])
        return b"\r\n".join([line, *self.headers, *framing, *self.ending, b"", self.body])


@dataclass(frozen=True)
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class World:
    """What a caller of the service knows."""

    service: Service
    tokens: dict[str, str]
    table: str
    booking: str

    def operation(self, chance: Random) -> Sent:
        # Not what would be refused later, by what others have done meanwhile.
        booked = {
            "table": self.table,
            "starts_at": f"2{chance.randrange(100, 190)}-01-01T{chance.randrange(24):02}:00:00Z",
            "ends_at": "2199-01-01T12:00:00Z",
            "party_size": 2,
            "note": "a note",
            "phone": SECRET,
        }
        other: Any = {"name": uuid.UUID(int=chance.getrandbits(128)).hex, "seats": 4}
        method, target, body = chance.choice(
            [
                ("POST", "/bookings", booked),
                ("POST", "/bookings", booked),
                ("GET", "/bookings?limit=5", None),
                ("GET", "/bookings/counts", None),
                ("GET", "/bookings.csv", None),
                ("GET", "/me/bookings?status=requested", None),
                ("PATCH", f"/me/bookings/{self.booking}", {"note": "another", "phone": SECRET}),
                ("POST", f"/me/bookings/{self.booking}/cancel", None),
                ("POST", f"/bookings/{self.booking}/confirm", None),
                ("POST", f"/bookings/{self.booking}/decline", {"reason": "no"}),
                ("GET", "/tables?seats_from=2", None),
                ("POST", "/tables", other),
                ("PATCH", f"/tables/{self.table}", {"seats": 5}),
                ("DELETE", f"/tables/{self.table}", None),
                ("GET", "/health/ready", None),
                ("GET", "/openapi.json", None),
            ],
        )
        # Mostly one who may, or else little is reached.
        path = target.partition("?")[0]
        may = {"/me": "ann", "/bo": "sam", "/ta": "sam"}.get(path[:3], "")
        may = {"/bookings/counts": "max", "/bookings.csv": "max", "/bookings": may}.get(path, may)
        may = "ann" if (method, path) == ("POST", "/bookings") else may
        who = may if chance.random() < 0.7 else chance.choice([*ROLES, ""])
        headers = [b"Host: bistro", *([b"Content-Type: application/json"] if body else [])]
        if who:
            headers.append(f"Authorization: Bearer {self.tokens[who]}".encode())
        sent = json.dumps(body).encode() if body else b""
        return Sent(method.encode(), target.encode(), headers, self.tokens[who or "ann"], body or {}, sent)


# ---- what is bad

# fmt: off
METHODS = [
    b"BREW", b"get", b"HEAD", b"OPTIONS", b"TRACE", b"CONNECT", b"PRI", b"PUT", b"G T", b"", b"\xff", b"G\x00T",
    b"M" * 60_000, b"'", b"GET\t", b"\r\nGET", b"\x16\x03\x01\x02\x00",
]
VERSIONS = [
    b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/9.9", b"HTTP/1.1 ", b"", b"http/1.1", b"HTTP/1.1\x00", b"FTP/1",
]
PLACES = [
    b"*", b"", b"/", b"//", b"http://elsewhere.example.com/tables", b"/tables/../bookings", b"/%2e%2e/tables",
    b"//tables", b"/tables/", b"/TABLES", b"/tables%2F", b"/%00", b"/tables%00", b"/%ff%fe", b"/%", b"/%zz", b"/\xff",
    b"/" + b"x" * 60_000, b"/" + b"%41" * 20_000, b"/" + b"../" * 5_000, b"/bookings/%ff/confirm", b"/tables/null",
    b"/me/bookings/00000000-0000-0000-0000-000000000000/cancel", b"/tables/0%0a%0dLocation:x", b"/a b", b"/#a", b"/?",
    b"/me/bookings/%F0%9F%98%80", b"/tables;a=b", b"/.git/config", b"/%u0041", b"/\\", b"/tables/{id}", b"/%0d%0aX:y",
]
VALUES = [
    b"", b"%00", b"%ff", b"%ED%A0%80", b"1e9", b"-1", b"0", b"101", b"9" * 5_000, b"NaN", b"%EF%BC%95", b"null",
    b"[]", b"1&limit=2", b"5%20", b"+5", b"0x5", b"2030-01-01T00:00:00Z", b"2030-01-01T00:00:00+99:99", b"\xff", b"%",
    b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59.999999999Z", b"2030-02-30T00:00:00Z",
    b"1900-01-01T00:00:00%2B23:59", b"9007199254740993", b"-9007199254740991", b"requested", b"x" * 30_000,
    b"%F0%9F%98%80", b"'; DROP TABLE bookings; --",
]
NAMES = [
    b"limit", b"cursor", b"status", b"table", b"starts_at_from", b"starts_at_to", b"seats_from", b"seats_to",
    b"owner", b"", b"%00", b"%ff", b"limit[]", b"__proto__", b"x" * 10_000, SECRET.encode(),
]
TYPES = [
    b"", b"text/plain", b"application/xml", b"application/json; charset=utf-16", b"application/json; charset=\xff",
    b"application/x-www-form-urlencoded", b"multipart/form-data", b"multipart/form-data; boundary=x",
    b"application/json;", b"application/merge-patch+json", b"application/json, text/plain", b"/", b"\xff",
    b"a" * 30_000, b"APPLICATION/JSON",
]
TAGS = [
    b"*", b'"1"', b'W/"1"', b'"0"', b'"999999999"', b'"' + b"9" * 5_000 + b'"', b'"', b"1", b"\xff", b'"1", "2"',
    b",,,", b'"\xb2"',
]
TRACES = [
    b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01", b"ff-x", b"\xff",
    b"x" * 9_000, b'00-"}\t{"level"-x-01', b"00-" + b"A" * 32 + b"-" + b"b" * 16 + b"-01",
]
LENGTHS = [
    b"-1", b"+5", b"0x5", b"5, 5", b"5, 6", b"", b" ", b"0", b"1", b"5.0", b"1e3", b"\xb2", b"9" * 19, b"9" * 30,
    b"9" * 5_000, b"1048576", b"1048577", b"5\r\nContent-Length: 6", b"5\r\nContent-Length: 5",
    b"00000000000000000005",
]
CODINGS = [
    b"chunked", b"gzip", b"identity", b"chunked, chunked", b"gzip, chunked", b"\x0bchunked", b"Chunked", b"xchunked",
    b"",
]
CHUNKS = [
    b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhel", b"-5\r\nhello\r\n0\r\n\r\n", b"g\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n",
    b"0\r\nX: y\r\n\r\n", b"5;a=b\r\nhello\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFFF\r\n", b"5\nhello\n0\n\n",
    b"0\r\n\xff\r\n\r\n", b"5\r\nhello0\r\n\r\n", (b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 40 + b"0\r\n\r\n",
    b"1;" + b"x" * 70_000 + b"\r\nx\r\n0\r\n\r\n",
]
OTHERS = [
    b"X-Long: " + b"x" * 70_000, b"X-Folded: a\r\n b\r\n\tc", b"Bad Name: 1", b": 1", b"X-\xff: 1", b"X: \x00",
    b"X: a\rb", b"X : 1", b"X: \xff\xfe", b"X", b"\x00", b"Host: a\r\nHost: b", b"Host:",
    b"Cookie: " + b"a=b;" * 5_000, b"Range: bytes=0-1", b"Expect: 100-continue", b"Expect: nonsense",
    b"Upgrade: websocket\r\nConnection: Upgrade", b"Upgrade: h2c\r\nConnection: Upgrade",
    b"\r\n".join([b"X-%d: %d" % (number, number) for number in range(900)]), b"Content-Encoding: gzip",
    b"Content-Encoding: br", b"Origin: https://elsewhere.example.com", b"Origin: null", b"X-Forwarded-For: 1.2.3.4",
    b"X-HTTP-Method-Override: DELETE", b"Accept: text/html", b"Accept: \xff", b"Connection: X-Folded, close, close",
    b"TE: trailers", b"Trailer: X", b'Forwarded: for="\xff"', b"X_Underscore: 1", b'X-Request-Id: "}\\n',
    b"Content-Type: text/plain", b"If-None-Match: *", b"Keep-Alive: timeout=99999",
]

DEEP = 100_000
FIELDS = [
    "table", "starts_at", "ends_at", "party_size", "note", "phone", "name", "seats", "reason",
]
JUNK = [
    '"\\ud800"', '"\\u0000"', '"\\ude00\\ud83d"', "NaN", "Infinity", "-Infinity", "1e400", "-0", "-0.0", "1E5",
    "9" * 5_000, "1.5", "9007199254740993", "-1e-400", "true", "null", "[]", "{}", "[null]", '{"a": {"a": {}}}', '""',
    '"\\t"', '"\u2028"', '"\ufeff"', f'"{SECRET}"', f'"{"x" * 20_000}"', '"00000000-0000-0000-0000-000000000000"',
    '"2030-01-01"', '"2030-01-01T00:00:00"', '"2016-12-31T23:59:60Z"', '"2030-01-01T25:00:00Z"',
    '"9999-12-31T23:59:59-23:59"', '"0000-00-00T00:00:00Z"', '"\U0001f600"',
]
KEYS = [
    "", "owner", "status", "id", "version", "__class__", "\\ud800", "\\u0000", "/", "~", SECRET, "k" * 100_000,
    "\U0001f600",
]
BODIES = [
    b"", b" ", b"null", b"true", b"[]", b"{", b"}", b'{"a":', b'"', b"\xff", b"\xef\xbb\xbf{}", b"\x00", b"{} {}",
    b"{'a': 1}", b"{}\x00", b"[" * DEEP, b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP, b"9" * DEEP, b"-", b"/**/{}",
    b'{"note": "\xff\xfe"}', b'{"note": "\xed\xa0\x80"}', gzip.compress(b'{"note": "a"}'),     b'{"note": "' + b"x" * 1_000_000 + b'"}', b"[" + b"1," * 300_000 + b"1]", '{"note": "a"}'.encode("utf-16"),
    '{"note": "a"}'.encode("utf-32"), b"\xff\xfe\x00\xd8", f'{{"phone": "{SECRET}"'.encode(),
    b"{" + b",".join(b'"k%d": %d' % (number, number) for number in range(20_000)) + b"}", b'{"note": 1, "note": "b"}',
    b"a=b&c=d",
]
# fmt: on


def tokens_of(good: str) -> list[bytes]:
    head, claims, signature = good.split(".")
    made = [
        f"{head}.{claims}.",
        f"{head}.{claims}.{signature[:-4]}AAAA",
        f"{head}..{signature}",
        f"{claims}.{head}.{signature}",
    ]
    made += ["", ".", "..", "...", "a.b.c", "é", "null", f"{good} {good}", f"{good},{good}", "=" * 30, "A" * 40_000]
    for header in [
        "null",
        "[]",
        '{"alg":"none"}',
        '{"alg":[]}',
        '{"alg":"HS256","kid":{}}',
        '{"alg":"ES256","kid":"\\ud800"}',
        "\x00",
    ]:
        made.append(f"{coded(header)}.{claims}.{signature}")
    made += [f"{coded('[' * 25_000)}.{claims}.{signature}", f"{coded('9' * 25_000)}.{claims}.{signature}"]
    schemes = [
        f"Basic {coded(f'ann:{SECRET}')}",
        "Bearer",
        "bearer",
        f"BEARER  {good}",
        f"Bearer\t{good}",
        good,
        f"Digest {SECRET}",
    ]
    return [f"Bearer {token}".encode("latin-1") for token in made] + [scheme.encode() for scheme in schemes]


def coded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def bad_method(sent: Sent, chance: Random) -> None:
    sent.method = chance.choice(METHODS)


def bad_version(sent: Sent, chance: Random) -> None:
    sent.version = chance.choice(VERSIONS)


def bad_place(sent: Sent, chance: Random) -> None:
    sent.target = chance.choice(PLACES)


def bad_byte(sent: Sent, chance: Random) -> None:
    at = chance.randrange(len(sent.target) + 1)
    sent.target = sent.target[:at] + bytes([chance.randrange(256)]) + sent.target[at:]


def bad_query(sent: Sent, chance: Random) -> None:
    asked = [chance.choice(NAMES) + b"=" + chance.choice(VALUES) for _ in range(chance.choice([1, 1, 2, 300]))]
    path = sent.target.partition(b"?")[0] if chance.random() < 0.5 else b"/tables"
    sent.target = path + b"?" + chance.choice([b"&", b";", b"&&"]).join([*asked, b"token=" + SECRET.encode()][-200:])


def bad_header(sent: Sent, chance: Random) -> None:
    sent.headers.insert(chance.randrange(len(sent.headers) + 1), chance.choice(OTHERS))


def no_host(sent: Sent, chance: Random) -> None:
    sent.headers = sent.headers[1:]


def bad_type(sent: Sent, chance: Random) -> None:
    other = [header for header in sent.headers if not header.startswith(b"Content-Type")]
    sent.headers = [*other, b"Content-Type: " + chance.choice(TYPES)]


def bad_condition(sent: Sent, chance: Random) -> None:
    sent.headers.append(b"If-Match: " + chance.choice(TAGS))


def bad_key(sent: Sent, chance: Random) -> None:
    keys = [SECRET.encode(), b"\xff" * 50, b"k" * 30_000, b" ", b"\xe9", b'"}', b"a\r\nIdempotency-Key: b"]
    sent.headers.append(b"Idempotency-Key: " + chance.choice(keys))


def bad_trace(sent: Sent, chance: Random) -> None:
    sent.headers.append(b"traceparent: " + chance.choice(TRACES))


def bad_token(sent: Sent, chance: Random) -> None:
    kept = [header for header in sent.headers if not header.startswith(b"Authorization") or chance.random() < 0.1]
    sent.headers = [*kept, b"Authorization: " + chance.choice(tokens_of(sent.token))]


def bad_length(sent: Sent, chance: Random) -> None:
    wrong = [*LENGTHS, b"%d" % (len(sent.body) + 5), b"%d" % max(len(sent.body) - 5, 0)]
    sent.framing = [b"Content-Length: " + chance.choice(wrong)]
    sent.body = sent.body or b"hello"


def bad_coding(sent: Sent, chance: Random) -> None:
    sent.framing = [b"Transfer-Encoding: " + chance.choice([*[b"chunked"] * 9, *CODINGS])]
    if chance.random() < 0.2:
        sent.framing.append(b"Content-Length: %d" % len(sent.body))
    whole = b"%x\r\n%b\r\n0\r\n\r\n" % (len(sent.body), sent.body)
    sent.body = chance.choice([*[whole] * 5, sent.body, *CHUNKS])


def bad_body(sent: Sent, chance: Random) -> None:
    sent.body = chance.choice(BODIES)


def too_large(sent: Sent, chance: Random) -> None:
    sent.body = b"[" + b" " * LIMIT + b"]"


def bad_json(sent: Sent, chance: Random) -> None:
    given = {name: json.dumps(value) for name, value in sent.fields.items()}
    for _ in range(chance.choice([1, 1, 2])):
        name = chance.choice([*given] * 3 + FIELDS + KEYS)
        given[name] = chance.choice(JUNK)
    parts = [f'"{name}": {value}' for name, value in given.items()]
    sent.body = ("{" + ", ".join(parts + parts[: chance.choice([0, 0, 1])]) + "}").encode()
    if chance.random() < 0.2:
        at = chance.randrange(len(sent.body))
        sent.body = sent.body[:at] + bytes([chance.randrange(256)]) + sent.body[at + 1 :]


BAD: list[Callable[[Sent, Random], None]] = [
    *[bad_json] * 6,
    *[bad_body, bad_query, bad_token] * 2,
    *[too_large, bad_method, bad_version, bad_place, bad_byte, bad_header, no_host, bad_type],
    *[bad_condition, bad_key, bad_trace, bad_length, *[bad_coding] * 3],
]


# ---- how it is sent


def send_whole(client: socket.socket, data: bytes, chance: Random) -> None:
    client.sendall(data)


def send_in_pieces(client: socket.socket, data: bytes, chance: Random) -> None:
    """Slowly, but it ends."""
    cuts = sorted(chance.randrange(len(data)) for _ in range(5))
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        client.sendall(data[start:end])
        time.sleep(0.01)


def send_cut(client: socket.socket, data: bytes, chance: Random) -> None:
    """And then nothing."""
    client.sendall(data[: chance.randrange(len(data))])


def send_half(client: socket.socket, data: bytes, chance: Random) -> None:
    client.sendall(data[: chance.choice([len(data), chance.randrange(len(data))])])
    client.shutdown(socket.SHUT_WR)


def send_and_leave(client: socket.socket, data: bytes, chance: Random) -> None:
    client.sendall(data[: chance.choice([len(data), chance.randrange(len(data))])])
    time.sleep(chance.choice([0, 0.005]))
    if chance.random() < 0.5:
        # Not a goodbye, but a reset.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def send_thrice(client: socket.socket, data: bytes, chance: Random) -> None:
    """Before the first is answered."""
    client.sendall(data.replace(b"Connection: close\r\n", b"") * 2 + data)


WAYS = [*[send_whole] * 12, send_in_pieces, send_cut, send_half, send_and_leave, send_thrice]


def exchange(port: int, data: bytes, chance: Random) -> bytes:
    """All that comes back."""
    way, back = chance.choice(WAYS), b""
    with socket.create_connection(("127.0.0.1", port), timeout=SILENCE) as client:
        try:
            way(client, data, chance)
            while more := client.recv(65536):
                back += more
        except OSError:
            # The server, or we, have hung up, or nothing comes.
            pass
    return back


def answers_in(back: bytes, method: bytes) -> Iterator[Answered]:
    """An answer that was cut is none; those to HEAD have no body."""
    while back.startswith(b"HTTP/1.1 ") and b"\r\n\r\n" in back:
        head, back = back.split(b"\r\n\r\n", 1)
        line, *lines = head.decode("ascii").split("\r\n")
        pairs = [header.split(": ", 1) for header in lines]
        headers = {name.lower(): value for name, value in pairs}
        assert len(headers) == len(pairs), head
        status = int(line.split()[1])
        if status == 100:
            continue
        body = b""
        if method != b"HEAD" and "content-length" in headers:
            length = int(headers["content-length"])
            body, back = back[:length], back[length:]
            if len(body) < length:
                return
        elif method != b"HEAD" and headers.get("transfer-encoding") == "chunked":
            while chunk := re.match(rb"([0-9a-f]+)\r\n", back):
                size = int(chunk[1], 16)
                body += back[chunk.end() : chunk.end() + size]
                back = back[chunk.end() + size + 2 :]
                if not size:
                    break
        elif method != b"HEAD":
            body, back = back, b""
        yield Answered(status, headers, body)
    assert back == b"" or not back.startswith(b"HTTP/1.1 ") or b"\r\n\r\n" not in back


def wrong_with(answered: Answered, method: bytes) -> str:
    """What an answer should not be."""
    headers = answered.headers
    if answered.status == 400 and NO_HTTP.startswith(answered.body) and "x-request-id" not in headers:
        return ""
    if answered.status >= 500 or answered.status == 400:
        return f"a {answered.status}"
    if not re.fullmatch("[0-9a-f]{32}", headers.get("x-request-id", "")):
        return "no request id"
    if not GUARDED.items() <= headers.items():
        return "not guarded"
    if answered.status >= 400:
        if headers.get("content-type") != "application/problem+json":
            return "no problem"
        if method == b"HEAD":
            return ""
        problem = json.loads(answered.body)
        if (problem["status"], problem["request_id"]) != (answered.status, headers["x-request-id"]):
            return "another problem"
        if not problem["type"].startswith("/problems/"):
            return "a problem without a type"
    return ""


def attack(world: World, number: int) -> list[tuple[int, str]]:
    """Statuses, and what is wrong with their answers."""
    chance = Random(f"{SEED} {number}")
    sent = world.operation(chance)
    done = [chance.choice(BAD) for _ in range(chance.choice([0, 1, 1, 1, 1, 2, 3]))]
    for change in done:
        change(sent, chance)
    if sent.method == b"HEAD":
        # uvicorn itself would stumble over a broken one: it answers it with a body.
        sent.body, sent.framing = b"", []
    found = []
    for answered in answers_in(exchange(world.service.port, sent.written(), chance), sent.method):
        wrong = wrong_with(answered, sent.method)
        if answered.status == 422 and len(sent.body) > LIMIT and sent.framing is None:
            wrong = "more than the limit was read"
        told = f"{number}: {wrong} after {[change.__name__ for change in done]}, {sent.written()[:300]!r}, {answered}"
        found.append((answered.status, told if wrong else ""))
    return found


def memory(service: Service) -> int:
    """In megabytes."""
    assert service.process
    return int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(service.process.pid)])) // 1024


@pytest.mark.parametrize(("name", "command"), [("bistro", "dev --no-reload"), ("bistro_postgresql", "serve")])
def test_nothing_falls_over(
    name: str,
    command: str,
    tell: Callable[[str], Story],
    tools: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    log = tmp_path / "served.log"
    with ExitStack() as running:
        known = running.enter_context(provider(tools, ROLES))
        settings = {"DATABASE_URL": database_of(tell(name), tmp_path, request), "EXPORTS": "100", **known.settings}
        service = Service(tell(name), tools, log, settings, tuple(command.split()), HURRY)
        if command == "serve":
            service.run("migrate")
            tokens = known.tokens
        else:
            tokens = {name: service.token(name, *roles) for name, roles in ROLES.items()}
        running.enter_context(served(service))
        table = service.ask("POST", "/tables", tokens["sam"], {"name": "Window", "seats": 4}).body["id"]
        booked = {
            "starts_at": "2090-01-01T12:00:00Z",
            "ends_at": "2090-01-01T13:00:00Z",
            "table": table,
            "party_size": 2,
        }
        booking = service.ask("POST", "/bookings", tokens["ann"], booked).body["id"]
        world = World(service, tokens, table, booking)

        sizes = []
        found: list[tuple[int, str]] = []
        with ThreadPoolExecutor(AT_ONCE) as several:
            for tenth in range(10):
                numbers = range(tenth * REQUESTS // 10, (tenth + 1) * REQUESTS // 10)
                for answered in several.map(partial(attack, world), numbers):
                    found += answered
                sizes.append(memory(service))

        assert service.process and service.process.poll() is None
        assert service.ask("GET", "/health/ready").status == 200
        assert service.ask("GET", "/bookings/counts", tokens["max"]).status == 200
    statuses = Counter(status for status, _ in found)
    print(f"{name} {command}: {REQUESTS} requests, answered", dict(sorted(statuses.items())), "MB:", sizes)
    assert [wrong for _, wrong in found if wrong] == []
    assert statuses.keys() >= {200, 201, 400, 401, 403, 404, 405, 408, 409, 413, 422}
    written = log.read_text()
    assert [word for word in ["Traceback", "crashed", SECRET, *tokens.values()] if word in written] == []
    # Half of it warms up.
    assert sizes[-1] - sizes[4] < 20
