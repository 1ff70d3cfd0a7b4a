"""docs/frontend.md of a service: its clients compile, and do what the page says."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from serving import Service, served
from stories import BIN, Story, run

HAS_NODE = pytest.mark.skipif(not shutil.which("npm"), reason="node and npm are not installed")
TSC = "npx tsc --strict --target es2022 --module esnext --moduleResolution bundler"
# The names in client.ts of whose types the compiler knows nothing.
UNTYPED = """
import ts from "typescript";
const options = { strict: true, target: 9, module: 99, moduleResolution: 100 };
const program = ts.createProgram(["client.ts"], options);
const checker = program.getTypeChecker(), found = [];
const look = (node) => {
  if (ts.isIdentifier(node) && checker.getTypeAtLocation(node).flags & ts.TypeFlags.Any) found.push(node.text);
  ts.forEachChild(node, look);
};
look(program.getSourceFile("client.ts"));
console.log(JSON.stringify(found));
"""
# Pages of two. The first response to a booking is lost on its way.
USED = """
const sent = globalThis.fetch;
let losing = true;
globalThis.fetch = async (...given) => {
  const response = await sent(...given);
  if (!losing || !response.url.endsWith("/bookings")) return response;
  losing = false;
  throw new TypeError("lost");
};
const { all, api, change, create, createOnce, login, messages, Refused } = await import("./client.js");
const problem = async (promise: Promise<unknown>) => {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Refused) return error.problem;
  }
  throw new Error("not refused");
};
const unknown = (await problem(create({ name: "A", seats: 1 }))).type;
login("SAM");
const made = [];
for (const name of ["A", "B", "C", "D", "E"]) made.push(await create({ name, seats: 1 }));
const taken = (await problem(create({ name: "A", seats: 1 }))).type;
const wrong = messages(await problem(create({ name: "", seats: 99 })));
const { data, etag } = await change(made[0].id, '"1"', { seats: 2 });
const outdated = await problem(change(made[0].id, '"1"', { seats: 3 }));
const names = [];
for await (const table of all()) names.push(`${table.name}${table.seats}`);
login("ANN");
const times = { starts_at: "2099-01-01T10:00:00Z", ends_at: "2099-01-01T11:00:00Z" };
const booked = await createOnce({ table: made[0].id, party_size: 2, ...times });
const { data: own } = await api.GET("/me/bookings");
const ids = own?.items.map((booking) => booking.id);
const once = JSON.stringify(ids) === JSON.stringify([booked.id]);
const status = outdated.status;
console.log(JSON.stringify({ unknown, taken, wrong, seats: data.seats, etag, status, names, losing, once }));
"""


@pytest.fixture(scope="session")
def node(bistro: Story, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tools are that the page installs."""
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text('{"type": "module"}')
    (install,) = [line for block in blocks(bistro, "sh") for line in block.splitlines() if "npm install" in line]
    done = run(folder, *install.split(), "--no-audit", "--no-fund")
    assert done.returncode == 0, done.stderr
    return folder


def blocks(story: Story, language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", (story.path / "docs/frontend.md").read_text())


def contract(story: Story, tools: Path, folder: Path) -> None:
    main = f"from {story.package}.cli import main; main()"
    done = run(story.path, tools / "python", "-c", main, "openapi", PYTHONPATH="src")
    (folder / "openapi.json").write_text(done.stdout)


def compiled(story: Story, tools: Path, node: Path, folder: Path, **changes: str) -> Path:
    """Its client, as the page has it but for these changes."""
    for name in ["node_modules", "package.json"]:
        (folder / name).symlink_to(node / name)
    contract(story, tools, folder)
    text = "\n".join(blocks(story, "ts"))
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "client.ts").write_text(text)
    (write,) = [line for block in blocks(story, "sh") for line in block.splitlines() if line.startswith("npx")]
    for command in [write, f"{TSC} client.ts"]:
        done = run(folder, *command.split())
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@HAS_NODE
@pytest.mark.parametrize("name", ["awkward", "bistro", "notes"])
def test_the_client_is_typed(name: str, tell: Callable[[str], Story], tools: Path, node: Path, tmp_path: Path) -> None:
    folder = compiled(tell(name), tools, node, tmp_path)
    (folder / "untyped.js").write_text(UNTYPED)
    done = run(folder, "node", "untyped.js")
    assert json.loads(done.stdout) == [], done.stderr


@HAS_NODE
def test_the_client_is_used(bistro: Story, tools: Path, node: Path, tmp_path: Path) -> None:
    service = Service(bistro, tools, tmp_path / "log", {"DATABASE_URL": f"sqlite:///{tmp_path}/a.db"})
    folder = compiled(bistro, tools, node, tmp_path, **{"limit: 100": "limit: 2", ":8000": f":{service.port}"})
    used = USED.replace("SAM", service.token("sam", "staff")).replace("ANN", service.token("ann", "guest"))
    (folder / "used.ts").write_text(used + "export {};\n")
    done = run(folder, *TSC.split(), "used.ts")
    assert done.returncode == 0, done.stdout
    with served(service):
        done = run(folder, "node", "used.js")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sorted(found.pop("wrong")) == ["/name", "/seats"]
    assert found == {
        "unknown": "/problems/unauthenticated",
        "taken": "/problems/table-name-taken",
        "seats": 2,
        "etag": '"2"',
        "status": 412,
        "names": ["A2", "B1", "C1", "D1", "E1"],
        "losing": False,
        "once": True,
    }


@HAS_NODE
def test_what_the_contract_lacks_does_not_compile(bistro: Story, tools: Path, node: Path, tmp_path: Path) -> None:
    wrong = {
        'POST("/tables"': 'POST("/tabels"',
        "data.items": "data.rows",
        '"If-Match": etag': '"If-Match": body.chairs',
    }
    with pytest.raises(AssertionError) as raised:
        compiled(bistro, tools, node, tmp_path, **wrong)
    assert [word for word in ["/tabels", "rows", "chairs"] if word not in str(raised.value)] == []


@pytest.mark.parametrize("name", ["bistro", "notes"])
def test_the_client_in_python(name: str, tell: Callable[[str], Story], tools: Path, tmp_path: Path) -> None:
    story = tell(name)
    service = Service(story, tools, tmp_path / "log", {"DATABASE_URL": f"sqlite:///{tmp_path}/a.db"})
    contract(story, tools, tmp_path)
    (write,) = [line for block in blocks(story, "sh") for line in block.splitlines() if line.startswith("uvx")]
    done = run(tmp_path, BIN / "uvx", *write.split()[1:])
    assert done.returncode == 0, done.stdout + done.stderr
    (text,) = blocks(story, "python")
    token = service.token("sam", "staff") if "TOKEN" in text else ""
    text = text.replace(":8000", f":{service.port}").replace("TOKEN", token)
    made, refused = {"bistro": ("name='A', seats=1", "name='', seats=1"), "notes": ("text='A'", "text=''")}[name]
    body = re.findall(r"body: (\w+)", text)[0]
    text += f"print(create({body}({made})).id)\ntry:\n    create({body}({refused}))\nexcept ValueError as error:\n    print(error)\n"
    (tmp_path / "used.py").write_text(text)
    with served(service):
        done = run(
            tmp_path, BIN / "uv", "run", "--no-project", "--with", "httpx", "--with", "attrs", "python", "used.py"
        )
    assert re.fullmatch(r"[0-9a-f-]{36}\nThe request is not valid\n", done.stdout), done.stdout + done.stderr
