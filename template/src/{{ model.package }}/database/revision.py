"""Whether the database is at the newest migration of this code."""

import functools

import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError


@functools.cache
def history() -> ScriptDirectory:
    """The migrations of this code, as they are at the first call."""
    return ScriptDirectory.from_config(Config(toml_file="pyproject.toml"))


def check(connection: sa.Connection) -> None:
    """Raises CommandError where the database is at another migration."""
    found = set(connection.scalars(sa.text("SELECT version_num FROM alembic_version")))
    if found == set(history().get_heads()):
        return
    names = ", ".join(sorted(found)) or "none"
    if found <= {script.revision for script in history().walk_revisions()}:
        raise CommandError(f"the database is at migration {names}, not the newest")
    raise CommandError(f"the database is at migration {names}, which migrations/versions does not have")
