// The values of requests are inserted as text, never as HTML: a path may have `<script>` in it.

const LIMIT = 500;
const [live, filter, list, none, travel, dialog] = ["live", "filter", "list", "none", "travel", "test"].map((id) =>
  document.getElementById(id),
);
const main = document.querySelector("main");
const form = dialog.querySelector("form");
let newest = "";
let chosen = "";

const el = (name, className = "", ...children) => {
  const node = document.createElement(name);
  node.className = className;
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};
const kind = (status) => ({ 2: "ok", 3: "other", 4: "refused" })[String(status)[0]] ?? "failed";
const time = (at) => new Date(at).toLocaleTimeString([], { hour12: false });
const ms = (value) => (value === undefined ? "" : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`);
const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
const shortened = (path) => path.replace(/([0-9a-f]{4})[0-9a-f]{4}(-[0-9a-f]{4}){3}-[0-9a-f]{8}([0-9a-f]{4})/g, "$1…$3");
const short = (where) => where.replace(/^.*\/features\//, "").replace(/^src\/[^/]+\//, "");

async function ask(path, options) {
  const response = await fetch(`/journeys/api${path}`, options);
  if (!response.ok) throw new Error(`The service responds with ${response.status}.`);
  return response.json();
}

const post = (path, body = {}) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

// ---- the list

function row(journey) {
  const status = el("span", `status ${kind(journey.status)}`, String(journey.status ?? "---"));
  const about = [time(journey.at), journey.who, journey.reason].filter(Boolean).join(" · ");
  const link = el("a", "", status, el("span", "path", `${journey.method} ${shortened(journey.path)}`), el("span", "ms", ms(journey.ms)));
  link.append(el("span", "about", about));
  link.href = `/journeys/${journey.id}`;
  link.title = `${journey.method} ${journey.path}`;
  link.dataset.text = `${journey.id} ${status.textContent} ${link.title} ${about}`.toLowerCase();
  link.dataset.status = kind(journey.status) === "failed" ? "5" : status.textContent[0];
  return el("li", "", link);
}

function sift() {
  const words = filter.value.toLowerCase().split(" ");
  const status = document.querySelector("[name=status]:checked").value;
  for (const link of list.querySelectorAll("a")) {
    const fits = words.every((word) => link.dataset.text.includes(word)) && link.dataset.status.startsWith(status);
    link.parentElement.hidden = !fits;
    if (link.pathname === `/journeys/${chosen}`) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  none.hidden = visible().length > 0;
  none.textContent = list.children.length ? "None of them fits the filter." : "No request yet. Send one, and it is here.";
}

const visible = () => [...list.querySelectorAll("li:not([hidden]) > a")];

async function poll() {
  let text = "live";
  try {
    if (!document.hidden) {
      const newer = await ask(`?after=${newest}`);
      newest = newer[0]?.id ?? newest;
      list.prepend(...newer.map(row));
      for (const old of [...list.children].slice(LIMIT)) old.remove();
      if (newer.length || none.textContent === "") sift();
    }
  } catch {
    text = "not reachable: is `dev` running?";
  }
  live.classList.toggle("off", text !== "live");
  // Read aloud when it changes, not each second.
  if (live.value !== text) live.value = text;
  setTimeout(poll, 1000);
}

// ---- the travel of one

async function open(id, focus) {
  chosen = id;
  main.classList.toggle("chosen", Boolean(id));
  sift();
  if (!id) return travel.replaceChildren(el("p", "hint", "Choose a request to see how it travelled."));
  try {
    const journey = await ask(`/${id}`);
    if (chosen === id) show(journey, focus);
  } catch {
    travel.replaceChildren(back(), el("p", "hint", `There is no journey ${id}: only the last ${LIMIT} are stored.`));
  }
}

function go(id, focus) {
  history.pushState(null, "", `/journeys${id && "/"}${id}`);
  return open(id, focus);
}

function show(journey, focus) {
  const title = `${journey.method} ${journey.path}${journey.query && `?${decodeURIComponent(journey.query)}`}`;
  const facts = [journey.who, ms(journey.ms), time(journey.at), journey.operation, journey.id];
  const result = el("output");
  result.id = "result";
  const tell = (node) => result.replaceChildren(node);
  const failed = journey.stops.filter((stop) => stop.error).sort((one, other) => other.depth - one.depth)[0];
  const stops = el("ol", "stops", ...journey.stops.map((one) => stop(one, journey, one === failed)));
  stops.setAttribute("aria-label", "Stops");
  travel.replaceChildren(
    el("h2", "", el("span", `status ${kind(journey.status)}`, String(journey.status ?? "---")), ` ${title}`),
    el("p", "facts", ...facts.filter(Boolean).map((fact) => el("span", "", fact))),
    el("div", "actions", back(), button("Send again", () => again(journey, tell)), button("Write as test", () => ask_for(journey, tell)),
      copy("Copy as curl", journey.curl, tell), copy("Copy as text", journey.text, tell)),
    result,
    stops,
  );
  if (journey.reason) travel.children[1].after(el("p", `reason ${kind(journey.status)}`, journey.reason));
  if (journey.logs.length) travel.append(el("h3", "", "Log"), el("pre", "", journey.logs.join("\n")));
  travel.scrollTop = 0;
  if (focus) (travel.querySelector("[open] > summary") ?? travel.querySelector("summary")).focus();
}

function stop(one, journey, isOpen) {
  const rows = one.rows === undefined ? null : `${one.rows} row${one.rows === 1 ? "" : "s"}`;
  const took = one.ms === undefined || one.ms < 0.05 ? "" : ms(one.ms);
  const share = Math.max((one.ms ?? 0) / journey.ms, 0.02);
  const summary = el("summary", one.error ? "raised" : "", el("span", "layer", one.layer),
    el("span", "name", one.layer === "SQL" ? one.statement : one.name), el("span", "where", short(one.where)),
    el("span", "ms", rows ?? took), el("span", "time"));
  // By the object model, since the policy of the page refuses style attributes.
  summary.style.setProperty("--depth", Math.max(one.depth - 1, 0));
  summary.style.setProperty("--from", `${Math.min((100 * one.at_ms) / journey.ms / (1 - share), 100)}% 0`);
  summary.style.setProperty("--share", `${100 * share}% 100%`);
  summary.title = took;
  const details = el("details", "", summary, inside(one, journey));
  details.open = isOpen;
  return el("li", "", details);
}

function inside(one, journey) {
  const parts = el("div", "inside");
  const part = (title, node) => node && parts.append(el("h3", "", title), node);
  if (one.sentence) parts.append(el("p", "hint-line", one.sentence));
  if (one.error) {
    parts.append(el("p", "reason failed", `${one.error.type}: ${one.error.message}`));
    part(short(one.error.where), lines(one.error.source, one.error.where));
  }
  if (one.statement) part("Statement", el("pre", "", one.statement.replace(/ (FROM|WHERE|(?:LEFT OUTER )?JOIN|ORDER BY|GROUP BY|LIMIT|SET|VALUES|RETURNING|AND) /g, "\n$1 ")));
  if (one.layer === "UI") {
    part("Query", journey.query && data(Object.fromEntries(new URLSearchParams(journey.query))));
    part("Headers", data(journey.headers));
    part("Body", data(journey.body));
  }
  part(one.statement ? "Parameters" : "In", data(one.input));
  part("Out", data(one.output));
  part("Rows, the first of them", one.found?.length && table(one.found));
  if (one === journey.stops.at(-1)) part("Body", data(journey.response));
  if (one.where !== one.error?.where) part(`Source: ${one.where}`, lines(one.source, one.where));
  return parts;
}

function data(value) {
  if (value === null || value === undefined || JSON.stringify(value) === "{}") return null;
  if (typeof value !== "object" || Array.isArray(value)) return el("pre", "", plain(value));
  return el("dl", "", ...Object.entries(value).flatMap(([name, item]) => [el("dt", "", name), el("dd", "", plain(item))]));
}

function table(rows) {
  const names = Object.keys(rows[0]);
  const line = (cell, values) => el("tr", "", ...values.map((value) => el(cell, "", plain(value))));
  const body = rows.map((one) => line("td", names.map((name) => one[name])));
  return el("div", "rows", el("table", "", el("thead", "", line("th", names)), el("tbody", "", ...body)));
}

function lines(source, where) {
  if (!source?.length) return null;
  const at = Number(where.split(":").at(-1));
  return el("pre", "source", ...source.map(([number, text]) => el("span", number === at ? "at" : "", el("i", "", `${String(number).padStart(4)}  `), text || " ")));
}

// ---- what can be done with it

function button(text, act) {
  const node = el("button", "", text);
  node.type = "button";
  node.addEventListener("click", async () => {
    node.disabled = true;
    await act(node);
    node.disabled = false;
  });
  return node;
}

function back() {
  const node = button("← Requests", () => go("", true));
  node.id = "back";
  return node;
}

function copy(text, content, tell) {
  return button(text, async (node) => {
    try {
      await navigator.clipboard.writeText(content);
      node.textContent = "Copied";
      setTimeout(() => (node.textContent = text), 1500);
    } catch {
      tell(el("pre", "", content));
    }
  });
}

async function again(journey, tell) {
  try {
    const { id, differences } = await post(`/${journey.id}/replay`);
    const link = el("a", "", `journey ${id}`);
    link.href = `/journeys/${id}`;
    tell(el("div", "", "Sent again: ", link, el("pre", "", differences.join("\n") || "The same status and body.")));
  } catch (error) {
    tell(el("p", "failed", error.message));
  }
}

function ask_for(journey, tell) {
  form.reset();
  form.onsubmit = async () => {
    tell(el("p", "", "The test runs."));
    const { status, has, lacks } = Object.fromEntries(new FormData(form));
    try {
      const { fails, text } = await post(`/${journey.id}/test`, { status: Number(status), has, lacks });
      tell(el("div", "", el("strong", fails ? "ok" : "failed", fails ? "It fails, as it should until the bug is gone." : "It does not fail."), el("pre", "", text)));
    } catch (error) {
      tell(el("p", "failed", error.message));
    }
  };
  dialog.showModal();
}

// ---- keys, clicks, addresses

const fromAddress = () => open(location.pathname.split("/")[2] ?? "", false);

function step(by) {
  const inTravel = travel.contains(document.activeElement);
  const items = inTravel ? [...travel.querySelectorAll("summary")] : visible();
  const current = items.findIndex((item) => item === document.activeElement || (!inTravel && item.ariaCurrent && list !== document.activeElement.closest("ol")));
  const next = items[Math.min(Math.max(current + by, 0), items.length - 1)];
  next?.focus();
  // Where both are on the screen, the travel follows the list.
  if (!inTravel && next && matchMedia("(min-width: 801px)").matches) go(next.pathname.split("/")[2], false);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
  const inFilter = event.target === filter;
  const by = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
  if (event.key === "Escape") {
    if (inFilter) filter.value = "";
    else if (matchMedia("(max-width: 800px)").matches) go("", false);
    sift();
    (visible().find((link) => link.ariaCurrent) ?? visible()[0] ?? filter).focus();
  } else if (event.key === "/" && !inFilter) {
    if (matchMedia("(max-width: 800px)").matches) go("", false);
    filter.focus();
  } else if (by && (!event.target.matches("input") || (inFilter && event.key === "ArrowDown"))) {
    step(by);
  } else return;
  event.preventDefault();
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(link.pathname.split("/")[2], true);
});
filter.addEventListener("input", sift);
document.querySelector("fieldset").addEventListener("change", sift);
dialog.querySelector("[type=button]").addEventListener("click", () => dialog.close());
addEventListener("popstate", fromAddress);
await fromAddress();
poll();
