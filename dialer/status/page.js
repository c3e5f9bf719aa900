"use strict";

const byId = (id) => document.getElementById(id);

// What the page is told is text, and stays text: it reaches the document by textContent alone.

const number = (n) => n.toLocaleString("en");

// units writes n in the largest unit that fits, with the unit apart.
function units(n, step, names) {
  let i = 0;
  while (n >= step && i < names.length - 1) { n /= step; i++; }
  return [n >= 99.95 || i === 0 ? Math.round(n).toString() : n.toFixed(1), names[i]];
}
const bytes = (n) => units(n, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);

function duration(ms) {
  if (ms < 0.995) return Math.round(ms * 1000) + " µs";
  if (ms < 9.95) return ms.toFixed(1) + " ms";
  if (ms < 1000) return Math.round(ms) + " ms";
  return (ms / 1000).toFixed(1) + " s";
}

function age(ms) {
  const s = Math.floor(Math.max(0, ms) / 1000);
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min " + String(s % 60).padStart(2, "0") + " s";
  return Math.floor(s / 3600) + " h " + String(Math.floor(s / 60) % 60).padStart(2, "0") + " min";
}

// element makes a node of one class with text or nodes in it.
function element(tag, name, ...content) {
  const e = document.createElement(tag);
  if (name) e.className = name;
  e.append(...content);
  return e;
}

// fill makes the rows of a table those of items. A row whose cells stay the same stays the same node, so
// that what is selected in it stays selected.
function fill(table, items, key, cells) {
  const body = table.tBodies[0];
  const old = new Map(Array.from(body.rows, (row) => [row.dataset.key, row]));
  const rows = items.map((item) => {
    const row = old.get(String(key(item))) || element("tr");
    row.dataset.key = key(item);
    const now = cells(item);
    now.forEach((cell, i) => {
      const before = row.cells[i];
      if (!before) row.append(cell);
      else if (!before.isEqualNode(cell)) before.replaceWith(cell);
    });
    return row;
  });
  if (rows.length !== body.rows.length || rows.some((row, i) => row !== body.rows[i])) body.replaceChildren(...rows);
}

const text = (s, name) => element("td", name, s);
const count = (n) => text(number(n), "number");
const amount = (n) => text(bytes(n).join(" "), "number");

function showFigures(s) {
  const figure = (id, value, unit) => {
    byId(id).replaceChildren(value, ...(unit ? [element("small", "", unit)] : []));
  };
  figure("granted", number(s.Totals.Granted));
  figure("failed", number(s.Totals.Failed));
  figure("open", number(s.Open));
  figure("read", ...bytes(s.Totals.BytesRead));
  figure("written", ...bytes(s.Totals.BytesWritten));
  figure("held", number(s.Totals.Names));
}

function showGateways(s) {
  const state = (g) => ({
    works: "works",
    unused: "not used yet",
    failed: "failed, is tried again",
    rests: "rests for " + age(g.Rests + 999) + ", " + g.Failures + (g.Failures === 1 ? " failure" : " failures"),
  })[g.State];
  fill(byId("gateways"), s.Gateways || [], (g) => g.Address, (g) => {
    const cell = element("td");
    const detail = element("span", "detail state " + g.State, state(g));
    if (g.Error) detail.title = g.Error;
    cell.append(element("span", "address", g.Address), detail);
    return [cell, count(g.Granted), text(g.Granted ? duration(g.Mean) : "–", "number"), count(g.Open)];
  });
}

function showConnections(s) {
  fill(byId("connections"), s.Connections || [], (c) => c.ID, (c) => {
    const cell = element("td");
    cell.append(c.Host || "no datagram yet", element("span", "port", c.Port ? ":" + c.Port : ""));
    if (c.Network !== "tcp") cell.append(element("span", "tag", c.Network));
    cell.append(element("span", "detail address narrow", c.Fake));
    return [
      cell, text(c.Fake, "address wide"), text(c.Gateway, "address wide"), text(c.Bound, "address wider"),
      text(age(c.Age), "number"), amount(c.BytesRead), amount(c.BytesWritten),
    ];
  });
  const shown = (s.Connections || []).length;
  byId("connections-count").textContent = shown < s.Open ? "the newest " + shown + " of " + number(s.Open) : "";
  byId("connections-none").hidden = shown > 0;
}

function showNames(s) {
  fill(byId("names"), s.Names || [], (n) => n.Name, (n) => [
    text(n.Name, ""), text(n.IPv4, "address"), text(n.IPv6, "address wide"),
    element("td", "number", ...(n.Ago < 0 ? ["–"] : [age(n.Ago), element("span", "wide", " ago")])), count(n.Leases),
  ]);
  const shown = (s.Names || []).length;
  let told = number(s.Matches) + (s.Matches === s.Totals.Names ? "" : " of " + number(s.Totals.Names)) + " names";
  if (shown < s.Matches) told = "the first " + shown + " of " + told;
  if (s.Totals.Evicted) told += " · " + number(s.Totals.Evicted) + " evicted";
  if (s.Totals.Stale) told += " · " + number(s.Totals.Stale) + " stale";
  byId("names-count").textContent = told;
  byId("names-none").hidden = shown > 0;
}

// The chart: a dot a dial over the last two minutes or less, and beside it, on the same scale, how many of
// all requests took how long.

const spans = [[15000, "15 s"], [30000, "30 s"], [60000, "1 min"], [120000, "2 min"]];

function draw(tag, attributes, content) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  if (content !== undefined) e.textContent = content;
  return e;
}

// scale is logarithmic, and holds every time that is shown.
function scale(times, top, bottom) {
  const logs = times.map(Math.log10);
  const low = logs.length ? Math.floor(Math.min(...logs) * 2) / 2 : 0;
  const high = Math.max(low + 1, logs.length ? Math.ceil(Math.max(...logs) * 2) / 2 : 0);
  const y = (ms) => bottom - (Math.min(high, Math.max(low, Math.log10(ms))) - low) / (high - low) * (bottom - top);
  const ticks = [];
  for (let decade = Math.floor(low); decade <= high; decade++) {
    for (const part of high - low > 3 ? [1] : [1, 3]) ticks.push(part * 10 ** decade);
  }
  return { y, ticks: ticks.filter((ms) => Math.log10(ms) >= low - 1e-9 && Math.log10(ms) <= high + 1e-9) };
}

const tick = (ms) => ms < 1 ? Math.round(ms * 1000) + " µs" : ms < 1000 ? Math.round(ms) + " ms" : Math.round(ms / 1000) + " s";

function showQuantiles(s, failed) {
  const parts = [];
  if (s.Median) parts.push(["", "median " + duration(s.Median)], ["", "95 % below " + duration(s.P95)]);
  if (failed) parts.push(["fail", "× " + number(failed) + " failed"]);
  byId("quantiles").replaceChildren(...parts.flatMap(([name, told], i) => [i ? " · " : "", element("span", name, told)]));
}

function showDials(s) {
  const dials = s.Dials || [];
  showQuantiles(s, dials.filter((d) => d.Failed).length);
  const [span, begin] = spans.find(([ms]) => !dials.length || dials[0].Ago <= ms) || spans.at(-1);
  const svg = byId("chart");
  const width = svg.clientWidth, top = 16, bottom = svg.clientHeight - 20, left = 52;
  const bars = width > 420 ? 84 : 0;
  const right = width - bars - (bars ? 18 : 4);
  const { y, ticks } = scale(dials.filter((d) => d.Took > 0).map((d) => d.Took), top, bottom);
  const x = (ago) => right - ago / span * (right - left);
  const parts = [];
  for (const ms of ticks) {
    parts.push(draw("line", { class: "grid", x1: left, x2: width, y1: y(ms), y2: y(ms) }));
    parts.push(draw("text", { x: left - 8, y: y(ms) + 4, "text-anchor": "end" }, tick(ms)));
  }
  for (const [ago, label, anchor] of [[span, begin + " ago", "start"], [0, "now", "end"]]) {
    parts.push(draw("text", { x: x(ago), y: bottom + 16, "text-anchor": anchor }, label));
  }
  if (s.Median) parts.push(draw("line", { class: "median", x1: left, x2: right, y1: y(s.Median), y2: y(s.Median) }));
  for (const d of dials) {
    const at = x(d.Ago), height = y(d.Took);
    parts.push(d.Failed
      ? draw("path", { class: "cross", d: `M${at - 3} ${height - 3}l6 6m0-6l-6 6` })
      : draw("circle", { class: "dot", cx: at, cy: height, r: 2.4 }));
  }
  if (bars) {
    const most = Math.max(1, ...s.Histogram.map((b) => b.Count));
    s.Histogram.forEach((b, i) => {
      const low = y(b.Below / 2), high = y(b.Below);
      if (!b.Count || low - high < 2) return;
      const long = Math.max(1, b.Count / most * (bars - 2));
      parts.push(draw("rect", { class: "bar", x: width - bars, y: high + .75, width: long, height: low - high - 1.5, rx: 1 }));
    });
    parts.push(draw("text", { x: width - bars, y: bottom + 16 }, "since the start"));
  }
  svg.setAttribute("aria-label", "Dial times, " + byId("quantiles").textContent);
  svg.replaceChildren(...parts);
}

// The stream of events. Another search or order is another stream.

const wanted = { search: "", sort: "assigned", reverse: false };
let source;
let last;

function show(s) {
  last = s;
  showFigures(s);
  showDials(s);
  showGateways(s);
  showConnections(s);
  showNames(s);
}

function live(name, told) {
  byId("live").className = "live " + name;
  byId("live").textContent = told;
}

function listen() {
  if (source) source.close();
  const query = new URLSearchParams({ search: wanted.search, sort: wanted.sort });
  if (wanted.reverse) query.set("reverse", "");
  source = new EventSource("events?" + query);
  source.onmessage = (event) => {
    live("on", "live");
    show(JSON.parse(event.data));
  };
  source.onerror = () => live("off", "the program does not answer");
}

// Each order's own direction, as the arrow tells it.
const direction = { name: "ascending", address: "ascending", assigned: "descending", leases: "descending" };
const other = { ascending: "descending", descending: "ascending" };

function mark() {
  for (const button of document.querySelectorAll("[data-sort]")) {
    const by = button.dataset.sort, th = button.closest("th");
    if (by !== wanted.sort) th.removeAttribute("aria-sort");
    else th.setAttribute("aria-sort", wanted.reverse ? other[direction[by]] : direction[by]);
  }
}

for (const button of document.querySelectorAll("[data-sort]")) {
  button.addEventListener("click", () => {
    wanted.reverse = wanted.sort === button.dataset.sort && !wanted.reverse;
    wanted.sort = button.dataset.sort;
    mark();
    listen();
  });
}

let typing;
byId("search").addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    wanted.search = event.target.value;
    listen();
  }, 120);
});

new ResizeObserver(() => last && showDials(last)).observe(byId("chart"));
mark();
listen();
