"""Writes what is made of what is served: contract/api.txt and docs/examples.md. `make contract` runs it."""

import sys

from alembic.util import CommandError

from tests import contract, examples
from tests.databases import new_databases
from tests.migration import up_to_date
from tests.world import World, serving


def main() -> None:
    with new_databases() as new_database:
        try:
            url = up_to_date(new_database)
        except CommandError as error:
            sys.exit(str(error))
        with serving(database_url=url) as client:
            world = World(url, client)
            report = contract.accept(client.get("/openapi.json").json())
            examples.FILE.write_text(examples.written(world), "utf-8")
            world.engine.dispose()
    if report:
        print(f"contract/api.txt{report}")


if __name__ == "__main__":
    main()
