"""The page /journeys in a real browser: Debian's Chromium, headless."""

import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from serving import Service, served
from stories import Story, clean

FLAGS = """
    --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync
"""
SCRIPT = "<img src=x onerror=window.ran=1><script>window.ran=1</script>"
WIDE, NARROW = (1280, 800), (390, 844)
# The smallest ratio of a text's colour to what is behind it (WCAG 2, AA): 4.5.
FAINT = """() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const color = getComputedStyle(node).backgroundColor;
      if (numbers(color)[3] !== 0) return color;
    }
  };
  const light = (color) => {
    const [r, g, b] = numbers(color).map((n) => (n / 255 <= 0.03928 ? n / 3294.6 : ((n / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const texts = [...document.querySelectorAll("body *")].filter((node) =>
    node.checkVisibility() && [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
  return texts.map((node) => {
    const [one, other] = [light(getComputedStyle(node).color), light(behind(node))];
    return [Math.max(one, other) / Math.min(one, other), node.textContent.slice(0, 40)];
  }).filter(([ratio]) => ratio < 4.5);
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium on the PATH: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def service(bistro: Story, tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("page")
    own = replace(bistro, path=Path(shutil.copytree(bistro.path, folder / "bistro")))
    settings = {"DATABASE_URL": f"sqlite:///{folder}/bistro.db", "ENVIRONMENT": "development", "COLUMNS": "80"}
    with served(Service(own, tools, folder / "log", settings)) as service:
        yield service


@pytest.fixture
def page(browser: Browser, service: Service) -> Iterator[Page]:
    """Whose console stays empty, and which asks nobody but the service."""
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{service.port}",
        viewport={"width": WIDE[0], "height": WIDE[1]},
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda one: None if one.url.startswith((base(service), "data:")) else wrong.append(one.url))
    yield page
    context.close()
    assert wrong == []


def base(service: Service) -> str:
    return f"http://127.0.0.1:{service.port}"


@pytest.fixture(scope="module")
def booking(service: Service) -> str:
    """The id of one that is confirmed, and whose note has markup."""
    sam, ann = service.token("sam", "staff"), service.token("ann", "guest")
    table = service.ask("POST", "/tables", sam, {"name": "Window", "seats": 4}).body["id"]
    times = {"starts_at": "2099-01-01T10:00:00Z", "ends_at": "2099-01-01T11:00:00Z"}
    body = {"table": table, "party_size": 2, "phone": "5550100", "note": SCRIPT, **times}
    id = str(service.ask("POST", "/bookings", ann, body).body["id"])
    assert service.ask("POST", f"/bookings/{id}/confirm", sam).status == 200
    return id


def journeys(service: Service) -> int:
    files = (service.story.path / ".journeys").glob("*.jsonl")
    return sum(len(file.read_text().splitlines()) for file in files)


def test_a_request_appears_and_each_stop_has_its_data_and_source(page: Page, service: Service, booking: str) -> None:
    page.goto("/journeys")
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    refused = service.ask("POST", f"/bookings/{booking}/confirm", service.token("sam", "staff"))
    # Without a reload.
    newest = page.locator("#list a").first
    expect(newest).to_contain_text("409")
    expect(newest).to_contain_text("staff sam")
    newest.click()

    stops = page.get_by_label("Stops").locator("summary")
    expect(stops.locator(".layer")).to_have_text(
        [
            *["UI", "middleware", "auth", "controller", "transaction", "service", "repository", "SQL"],
            *["transaction", "response", "response"],
        ]
    )
    # The stop that raised it is open, at the line.
    opened = page.locator("details[open]")
    expect(opened).to_have_count(1)
    expect(opened).to_contain_text("TransitionNotAllowed: Cannot confirm: the current state is confirmed")
    expect(opened.locator(".at").first).to_contain_text("raise TransitionNotAllowed")
    sql = page.locator("details", has=page.locator("summary", has_text="SQL"))
    sql.locator("summary").click()
    expect(sql).to_contain_text("WHERE bookings.id = ?")
    expect(sql.locator("dd")).to_have_text([booking])
    expect(sql.locator("td", has_text="confirmed")).to_be_visible()
    expect(sql.locator(".at")).to_contain_text("return self._lock(versions, model.Booking.id == id)")
    # The header of the response leads to it.
    page.goto(refused.headers["X-Journey"])
    expect(page.get_by_role("heading", name=f"POST /bookings/{booking}/confirm")).to_be_visible()
    expect(page.locator("[aria-current]")).to_contain_text("409")


def test_filters(page: Page, service: Service, booking: str) -> None:
    service.ask("GET", f"/nowhere/{booking}")
    page.goto("/journeys")
    rows = page.locator("#list a:visible")
    page.get_by_label("Filter").fill("GET nowhere")
    expect(rows).to_have_count(1)
    page.get_by_label("2xx").check(force=True)
    expect(rows).to_have_count(0)
    expect(page.get_by_text("None of them fits the filter.")).to_be_visible()
    # Also for what comes later.
    service.ask("GET", "/nowhere/else")
    page.get_by_label("4xx").check(force=True)
    expect(rows).to_have_count(2)
    page.get_by_label("Filter").fill("confirm_nothing")
    expect(rows).to_have_count(0)


@pytest.mark.usefixtures("booking")
def test_the_keyboard_is_enough(page: Page) -> None:
    page.goto("/journeys")
    expect(page.locator("#list a").nth(2)).to_be_visible()
    focused = page.locator(":focus")
    page.keyboard.press("/")
    expect(page.get_by_label("Filter")).to_be_focused()
    page.keyboard.type("booking")
    page.keyboard.press("Escape")
    expect(page.get_by_label("Filter")).to_have_value("")
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    expect(page.locator("#list a").nth(1)).to_be_focused()
    assert focused.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
    # The travel follows, and is not left open by what was chosen before.
    expect(page.locator("#list a").nth(1)).to_have_attribute("aria-current", "true")
    page.keyboard.press("Enter")
    expect(page.locator("summary:focus")).to_be_visible()
    for _ in range(20):
        page.keyboard.press("ArrowUp")
    expect(page.locator("summary").first).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("details").nth(1)).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(page.locator("#list a").nth(1)).to_be_focused()


def test_markup_of_a_request_is_text(page: Page, service: Service, booking: str) -> None:
    service.ask("GET", f"/nowhere/{quote(SCRIPT)}")
    page.goto("/journeys")
    page.locator("#list a").first.click()
    expect(page.get_by_role("heading", name=SCRIPT)).to_be_visible()
    page.locator("#list a", has_text="201").first.click()
    page.locator("summary", has_text="UI").click()
    expect(page.locator("dd", has_text=SCRIPT).first).to_be_visible()
    assert page.locator("img").count() == 0 and page.evaluate("window.ran") is None


def test_send_again_and_see_what_differs(page: Page, service: Service, booking: str) -> None:
    page.goto("/journeys")
    page.locator("#list a", has_text="200").filter(has_text="confirm").first.click()
    page.get_by_role("button", name="Send again").click()
    result = page.locator("#result")
    expect(result).to_contain_text('-   "status": 200')
    expect(result).to_contain_text('+   "status": 409')
    result.get_by_role("link").click()
    expect(page.get_by_role("heading", name=f"409 POST /bookings/{booking}/confirm")).to_be_visible()
    page.get_by_role("button", name="Send again").click()
    expect(result).to_contain_text("The same status and body.")


@pytest.mark.usefixtures("booking")
def test_write_as_test(page: Page, service: Service) -> None:
    page.goto("/journeys")
    page.locator("#list a", has_text="200").filter(has_text="confirm").first.click()
    page.get_by_role("button", name="Write as test").click()
    # Only a person knows which status was wanted.
    page.get_by_role("button", name="Write and run it").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_label("Which status").fill("404")
    page.get_by_role("button", name="Write and run it").click()
    expect(page.locator("#result")).to_contain_text("It fails, as it should until the bug is gone.", timeout=120_000)
    (test,) = (service.story.path / "tests/journeys").glob("test_*.py")
    assert "assert response.status_code == 404" in test.read_text()


def test_copy_as_curl_and_as_text(page: Page, service: Service, booking: str, tmp_path: Path) -> None:
    page.goto("/journeys")
    page.locator("#list a", has_text="confirm").filter(has_text="409").first.click()
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    curl = page.evaluate("navigator.clipboard.readText()")
    program = tmp_path / "bistro"
    program.write_text(f'#!/bin/sh\nexec {service.tools}/python -c "from bistro.cli import main; main()" "$@"\n')
    program.chmod(0o755)
    environment = clean() | {"PYTHONPATH": "src", "ENVIRONMENT": "development", "PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(
        ["sh", "-c", curl], cwd=service.story.path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("HTTP/1.1 409") and booking in curl, curl + done.stderr
    # Else there may be two that say "Copied".
    expect(page.get_by_role("button", name="Copy as curl")).to_be_visible()
    page.get_by_role("button", name="Copy as text").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    text = page.evaluate("navigator.clipboard.readText()")
    assert text.startswith(f"409 POST /bookings/{booking}/confirm") and "WHERE bookings.id = ?" in text


@pytest.mark.usefixtures("booking")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_it_can_be_read(page: Page, scheme: str, size: tuple[int, int]) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto("/journeys")
    expect(page.locator("#list a").first).to_be_visible()
    assert page.evaluate(FAINT) == []
    page.locator("#list a", has_text="409").first.click()
    expect(page.get_by_label("Stops")).to_be_visible()
    assert page.evaluate(FAINT) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (background == "rgb(20, 22, 26)") == (scheme == "dark")
    if size == NARROW:
        expect(page.locator("#list")).to_be_hidden()
        page.get_by_role("button", name="Requests").click()
        expect(page.locator("#list")).to_be_visible()
        expect(page.get_by_label("Stops")).to_be_hidden()


def test_another_site_can_neither_send_nor_read(browser: Browser, service: Service, booking: str) -> None:
    (journey,) = [one for one in service.ask("GET", "/journeys/api").body if one["path"] == "/bookings"][:1]
    replay = f"/journeys/api/{journey['id']}/replay"
    before = journeys(service)
    for headers in [{}, {"Origin": "https://example.com"}, {"Origin": "null"}, {"Origin": "http://localhost:1"}]:
        assert service.ask("POST", replay, **headers).status == 403
    # DNS rebinding: the browser takes example.com and this service for one site.
    rebound = {"Host": f"example.com:{service.port}", "Origin": f"http://example.com:{service.port}"}
    assert service.ask("POST", replay, **rebound).status == 403
    assert service.ask("GET", "/journeys/api", **rebound).status == 403
    page = browser.new_page()
    page.goto("data:text/html,another site")
    send = "url => fetch(url, {method: 'POST', mode: 'no-cors'}).then(() => 'sent', String)"
    page.evaluate(send, base(service) + replay)
    read = "url => fetch(url).then(r => r.text(), String)"
    assert "Failed to fetch" in page.evaluate(read, f"{base(service)}/journeys/api")
    page.close()
    assert journeys(service) == before
    assert service.ask("POST", replay, Origin=base(service)).status == 200
    assert journeys(service) == before + 1


def test_its_policy_allows_no_inline_script(service: Service) -> None:
    with urllib.request.urlopen(f"{base(service)}/journeys") as response:
        policy = response.headers["Content-Security-Policy"]
        text = response.read().decode()
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert "style=" not in text and "<style" not in text and "onclick" not in text
