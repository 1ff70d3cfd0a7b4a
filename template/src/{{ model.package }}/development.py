"""What `dev` serves: the service, with docs that need no network, examples, journeys, and a look for migrations."""

import contextlib
import json
import logging
import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from socket import create_server
from threading import Thread
from typing import Any
from urllib.parse import unquote

import sqlalchemy as sa
from alembic.util import CommandError
from starlette.types import ASGIApp

from . import app as production
from .settings import SERVICE, read_development_settings
from .web.transaction import Database

# The files of /docs.
SWAGGER = {
    "swagger_js_url": "/docs/swagger-ui-bundle.js",
    "swagger_css_url": "/docs/swagger-ui.css",
    "swagger_favicon_url": "/docs/favicon.png",
}
# tests/ is not a part of the service.
MISSING_MIGRATION = "from tests.stale import missing_migration; print(missing_migration())"

log = logging.getLogger(__name__)


def check_port(port: int) -> None:
    """Ends the command where another process listens there."""
    try:
        with create_server(("127.0.0.1", port)):
            pass
    except OSError as error:
        remedy = f"{SERVICE} dev --port {port + 1}, or PORT={port + 1}"
        sys.exit(f"{SERVICE}: port {port}: {os.strerror(error.errno or 0)}. Another one: {remedy}")


def create_app() -> ASGIApp:
    """What `dev` serves, made again after each change of a file."""
    settings = read_development_settings()
    app = production.create_app(settings)
    if find_spec("fastapi_swagger"):
        import_module("fastapi_swagger").patch_fastapi(app, **SWAGGER)
    served: ASGIApp = app
    if find_spec(f"{__package__}.journey"):
        served = import_module(".journey.watch", __package__).watch(app, settings.port)
    # After the last route: with another one, the document is made anew.
    _add_examples(app.openapi())
    Thread(target=_report_migrations, args=[app.state.database], daemon=True).start()
    return served


def _report_migrations(database: Database) -> None:
    """Logs which migration is missing, here or in the database. Requests are served meanwhile."""
    try:
        database.check()
    except (sa.exc.SQLAlchemyError, CommandError) as error:
        log.warning("%s: start `%s dev` again, which migrates", error, SERVICE)
    command = [sys.executable, "-c", MISSING_MIGRATION]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if missing := done.stdout.strip():
        log.warning(missing)


def _add_examples(document: dict[str, Any]) -> None:
    """The ids and responses of docs/examples.md, which `make contract` writes."""
    file = Path("docs/examples.md")
    sections = file.read_text("utf-8").split("\n## ") if file.exists() else []
    examples = {section.split("\n")[0]: section for section in sections}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            example = examples.get(operation["summary"], "")
            url = example.partition("```http\n")[2].partition("\n")[0]
            values = dict(zip(path.split("/"), url.split("/"), strict=False))
            for parameter in operation.get("parameters", []):
                if value := values.get("{" + parameter["name"] + "}"):
                    parameter["example"] = unquote(value)
            status, _, rest = example.partition("\nResponse ")[2].partition(":\n\n```json\n")
            # ValueError: a conflict of an update is in the middle of it.
            with contextlib.suppress(KeyError, ValueError):
                content = operation["responses"][status]["content"]["application/json"]
                content["example"] = json.loads(rest.partition("\n```")[0])
