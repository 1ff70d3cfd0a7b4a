"""Production sends traces to a collector, and in them nothing that a client has sent."""

import json
import re
import signal
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest
from serving import Service, free_port, provider, served
from stories import Story, run

MARKER = "marker-of-a-secret"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
DECODE = """
import base64, json, sys
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
bodies = [base64.b64decode(body) for body in open(sys.argv[1])]
print(json.dumps([MessageToDict(ExportTraceServiceRequest.FromString(body)) for body in bodies]))
"""
# The process that serves says what it has loaded.
LOADED = """
import signal, sys
parts = ("opentelemetry.sdk", "opentelemetry.exporter", "telemetry.", "bistro.telemetry")
def say(*_):
    print("loaded:", [name for name in sys.modules if name.startswith(parts)], flush=True)
signal.signal(signal.SIGUSR1, say)
"""
MISSING = "import sys; sys.modules['opentelemetry.sdk'] = None"


@dataclass
class Collector:
    """Takes what is sent by OTLP over HTTP."""

    url: str = ""
    sent: list[tuple[str, bytes]] = field(default_factory=list)

    def spans(self, tools: Path, folder: Path) -> list[dict[str, Any]]:
        (folder / "sent").write_text("\n".join(b64encode(body).decode() for _, body in self.sent))
        decoded = run(folder, tools / "python", "-c", DECODE, "sent")
        assert decoded.returncode == 0, decoded.stderr
        return [
            {
                **span,
                **{name: b64decode(span.get(name, "")).hex() for name in ["traceId", "spanId", "parentSpanId"]},
                "attributes": attributes(span),
                "service": attributes(resource["resource"])["service.name"],
            }
            for request in json.loads(decoded.stdout)
            for resource in request["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]


def attributes(owner: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in owner.get("attributes", [])}


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.sent.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        found.url = f"http://127.0.0.1:{server.server_port}"
        yield found
        server.shutdown()


@dataclass
class Production:
    service: Service
    ann: str
    sam: str

    def books(self, **headers: str) -> tuple[str, Any]:
        """The id of the request of Ann's, and that of the booking."""
        made = self.service.ask("POST", "/tables", self.sam, {"name": "Window", "seats": 4})
        times = {"starts_at": "2099-01-01T10:00:00Z", "ends_at": "2099-01-01T11:00:00Z"}
        body = {"table": made.body["id"], "party_size": 2, "phone": MARKER, "note": MARKER, **times}
        booked = self.service.ask("POST", "/bookings", self.ann, body, **headers)
        assert booked.status == 201, booked.body
        return booked.headers["X-Request-Id"], booked.body["id"]


@pytest.fixture
def production(bistro: Story, tools: Path, tmp_path: Path) -> Iterator[Production]:
    """Not started yet."""
    database = {"DATABASE_URL": f"sqlite:///{tmp_path}/bistro.db"}
    with provider(tools, {"ann": ["guest"], "sam": ["staff"]}) as provided:
        service = Service(bistro, tools, tmp_path / "log", database | provided.settings, ("serve",))
        service.run("migrate")
        yield Production(service, provided.tokens["ann"], provided.tokens["sam"])


def tree(spans: list[dict[str, Any]], trace: str, parent: str, depth: int = 0) -> list[str]:
    lines = []
    for span in sorted(spans, key=lambda span: int(span["startTimeUnixNano"])):
        if (span["traceId"], span["parentSpanId"]) == (trace, parent):
            lines += ["  " * depth + span["name"], *tree(spans, trace, span["spanId"], depth + 1)]
    return lines


def test_each_layer_is_a_span_in_the_trace_of_the_caller(
    production: Production, collector: Collector, tools: Path, tmp_path: Path
) -> None:
    production.service.settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
    with served(production.service) as service:
        id, booking = production.books(traceparent=f"00-{TRACE}-{PARENT}-01")
        confirm = f"/bookings/{booking}/confirm"
        assert service.ask("POST", confirm, production.sam).status == 200
        refused = service.ask("POST", confirm, production.sam)
    spans = collector.spans(tools, tmp_path)
    assert {path for path, _ in collector.sent} == {"/v1/traces"}
    assert {span["service"] for span in spans} == {"bistro"}
    assert id == TRACE and f'"request_id": "{TRACE}"' in service.log.read_text()
    assert tree(spans, TRACE, PARENT) == [
        "POST /bookings",
        "  fastapi.dependencies",
        "  fastapi.endpoint",
        "    BookingService.create",
        "      TableService.check_reference",
        "        Repository.exists",
        "          SELECT",
        "      Repository.insert",
        "        INSERT",
    ]
    # A trace of its own has the id of the request, which is in the log and in each problem.
    assert tree(spans, refused.body["request_id"], "") == [
        "POST /bookings/{id}/confirm",
        "  fastapi.dependencies",
        "  fastapi.endpoint",
        "    BookingService.confirm",
        "      BookingRepository.lock",
        "        SELECT",
    ]
    failed = {span["name"] for span in spans if span["attributes"].get("error.type")}
    assert failed == {"fastapi.endpoint", "BookingService.confirm"}
    (statement,) = [span for span in spans if span["traceId"] == TRACE and span["name"] == "SELECT"]
    assert statement["attributes"] == {
        "db.system.name": "sqlite",
        "db.query.text": "SELECT tables.id \nFROM tables \nWHERE tables.id = ?",
    }


def test_nothing_that_was_sent_is_in_a_span(
    production: Production, collector: Collector, tools: Path, tmp_path: Path
) -> None:
    """Of several processes, and of a crash, whose message quotes the statement and could quote more."""
    service = production.service
    service.command = ("serve", "--workers", "2")
    service.settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
    with served(service):
        production.books(Idempotency_Key=MARKER, Cookie=MARKER, User_Agent=MARKER)
        assert service.ask("GET", f"/bookings?status={MARKER}", production.sam).status == 422
        assert service.ask("GET", f"/bookings?{MARKER}=1&seats_from={MARKER}", production.sam).status == 422
        assert service.ask("GET", "/tables", MARKER).status == 200
        with connect(service.database.removeprefix("sqlite:///")) as connection:
            connection.execute("DROP TABLE bookings")
        assert service.ask("GET", "/bookings?status=requested", production.sam).status == 500
    spans = collector.spans(tools, tmp_path)
    assert {span["attributes"].get("http.response.status_code") for span in spans} >= {"200", "201", "422", "500"}
    assert "sqlalchemy.exc.OperationalError" in {span["attributes"].get("error.type") for span in spans}
    assert "sqlite3.OperationalError" in {span["attributes"].get("error.type") for span in spans}
    text = json.dumps(spans)
    parts = [part for token in [production.ann, production.sam] for part in token.split(".")]
    assert [one for one in [MARKER, "=requested", "no such table", *parts] if one in text] == []
    # Health is asked every few seconds.
    assert "/health" not in text


@pytest.mark.parametrize("is_on", [False, True])
def test_nothing_is_loaded_where_it_is_off(production: Production, collector: Collector, is_on: bool) -> None:
    service = production.service
    service.first = LOADED
    if is_on:
        service.settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
    with served(service):
        assert service.ask("GET", "/tables").status == 200
        assert service.process
        service.process.send_signal(signal.SIGUSR1)
        service.wait_for("/health/live", 200)
    (loaded,) = re.findall(r"loaded: (\[.*\])", service.log.read_text())
    assert ("bistro.telemetry" in loaded and "opentelemetry.exporter" in loaded) if is_on else loaded == "[]"
    assert bool(collector.sent) is is_on


def test_the_extra_is_missing(production: Production) -> None:
    settings = production.service.settings | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}
    main = f"{MISSING}; from bistro.cli import main; main()"
    done = run(
        production.service.story.path,
        production.service.tools / "python",
        "-c",
        main,
        "serve",
        PYTHONPATH="src",
        **settings,
    )
    remedy = "OpenTelemetry needs other packages: uv sync --extra otel"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"bistro: OTEL_EXPORTER_OTLP_ENDPOINT: {remedy}\n"


def test_a_collector_that_is_gone_holds_nobody_up(production: Production) -> None:
    service = production.service
    service.settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{free_port()}"
    with served(service):
        started = time.monotonic()
        for _ in range(50):
            assert service.ask("GET", "/tables").status == 200
        assert time.monotonic() - started < 5
        started = time.monotonic()
        service.stop(signal.SIGTERM)
    # Platforms kill after 30.
    assert time.monotonic() - started < 20
