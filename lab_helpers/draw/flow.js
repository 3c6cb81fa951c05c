// The flow player: messages that move from publishers through exchanges and queues to consumers.
//
//   play(element, data)   puts a player into an element of any page, and returns what takes it out again
//   default.render        the same as a Jupyter widget: https://anywidget.dev/en/afm/
//
// `data` is what lab_helpers/draw/flow.py makes. It is shown by textContent only, never read as HTML, and nothing is
// fetched. The parts, from the bottom up: looks, elements, layout, timeline, stage, player.

const FORMAT = 1;

// What a player may take -----------------------------------------------------------------------------------------

/** Envelopes drawn at once; how many more are on their way is said. */
const MOST_FLYING = 60;
/** Messages that have a button of their own. */
const MOST_LISTED = 300;
/** Seconds that the longest story takes at normal speed; a short one takes one second a step. */
const LONGEST_PLAY = 75;
/** Share of a step's second in which its messages move; in the rest one can look. */
const MOVING = 0.8;
/** Seconds between two captions while playing: for screen readers, and for the eye. */
const SPOKEN_EVERY = 1.8;
const SHOWN_EVERY = 0.22;
const SPEEDS = [0.5, 1, 2, 4];

// Looks: each has a shape or a symbol of its own, so that none depends on its colour -----------------------------

/** `carries`: the message itself moves. `takes`: it leaves where the path begins. `fate`: the symbol it gets.
 *  `tally`: at whose box it is counted, the path's first or last. */
const LOOKS = {
  message: { word: "message", carries: true, takes: true },
  returned: { word: "returned", carries: true, takes: true, fate: "↩\uFE0E", tally: "last" },
  requeued: { word: "requeued", carries: true, takes: true, fate: "↻", tally: "first" },
  "dead-lettered": { word: "dead-lettered", carries: true, takes: true, fate: "†" },
  confirmed: { word: "confirmed by the broker", shape: "disc", fate: "✓", tally: "last" },
  refused: { word: "refused by the broker", shape: "octagon", fate: "⊗", tally: "last" },
  acked: { word: "acknowledged by a consumer", shape: "square", takes: true, fate: "☑\uFE0E", tally: "first" },
  rejected: { word: "rejected by a consumer", shape: "diamond", takes: true, fate: "⊘", tally: "first" },
  dropped: { word: "dropped", carries: true, takes: true, falls: true, fate: "✗", tally: "first" },
  removed: { word: "removed with its queue", carries: true, takes: true, falls: true, fate: "−", tally: "first" },
  unknown: { word: "routed unseen", carries: true, fate: "?", tally: "first" },
};
const COLUMNS = { publisher: "Publishers", exchange: "Exchanges", queue: "Queues", consumer: "Consumers" };
const SHAPES = {
  disc: "M0,-10A10,10 0 1 1 -0.01,-10Z",
  octagon: "M-4.2,-10H4.2L10,-4.2V4.2L4.2,10H-4.2L-10,4.2V-4.2Z",
  square: "M-7,-9H7A2,2 0 0 1 9,-7V7A2,2 0 0 1 7,9H-7A2,2 0 0 1 -9,7V-7A2,2 0 0 1 -7,-9Z",
  diamond: "M0,-12L12,0L0,12L-12,0Z",
};
const ICONS = {
  first: "M6 5h2.4v14H6zM19 5v14L9.5 12z",
  back: "M16.5 5v14L7 12z",
  play: "M8 5v14l11-7z",
  pause: "M7 5h3.6v14H7zM13.4 5H17v14h-3.6z",
  forward: "M7.5 5v14l9.5-7z",
  last: "M15.6 5H18v14h-2.4zM5 5v14l9.5-7z",
  close: "M6 7.4 7.4 6 12 10.6 16.6 6 18 7.4 13.4 12l4.6 4.6-1.4 1.4-4.6-4.6L7.4 18 6 16.6 10.6 12z",
};
const HUES = ["#0b62b8", "#a04400", "#6d3fb2", "#0a7458", "#a8246a", "#7a5c00", "#3f5f8f", "#86421f"];

const STYLE = `
:host { display: block; max-width: 100%; }
.player {
  --surface: var(--jp-layout-color0, var(--md-default-bg-color, #fff));
  --ink: var(--jp-ui-font-color1, var(--md-default-fg-color, #1b1f24));
  --muted: #57606a; --line: #8b949e; --edge: #d0d7de; --sunk: #f4f6f8; --accent: #0b5cad; --on-accent: #fff;
  --paper: #fff; --paper-ink: #1b1f24; --good: #1a7f37; --bad: #b3261e; --warm: #8a5000; --soft: #6a3fb0;
  --publisher: #e4f2e9; --publisher-edge: #4d8a64; --exchange: #fdead4; --exchange-edge: #b8731f;
  --queue: #e2ecf9; --queue-edge: #4d7ab5; --consumer: #efe8fa; --consumer-edge: #8062bb;
  position: relative; overflow: hidden; box-sizing: border-box; color: var(--ink); background: var(--surface);
  border: 1px solid var(--edge); border-radius: 10px; text-align: left;
  font: 14px/1.45 var(--jp-ui-font-family, var(--md-text-font-family, system-ui)), system-ui, sans-serif;
}
.player.dark {
  --surface: var(--jp-layout-color0, var(--md-default-bg-color, #15181d));
  --ink: var(--jp-ui-font-color1, var(--md-default-fg-color, #e6edf3));
  --muted: #a5afba; --line: #7d8590; --edge: #3d444d; --sunk: #8b949e22; --accent: #6cb6ff; --on-accent: #0c1117;
  --paper: #f4f1e6; --good: #1f8a3d; --bad: #c93c33; --warm: #9a5b00; --soft: #7d52c4;
  --publisher: #16301f; --publisher-edge: #4f9a6a; --exchange: #3a2812; --exchange-edge: #c98a3b;
  --queue: #15273f; --queue-edge: #5a8fce; --consumer: #291f40; --consumer-edge: #9a7fd6;
}
.player * { box-sizing: border-box; }
.head { display: flex; gap: 10px; align-items: baseline; padding: 10px 14px 8px; min-height: 58px; }
.badge {
  flex: none; min-width: 74px; padding: 1px 8px; border-radius: 999px; background: var(--sunk); color: var(--muted);
  font-size: 12px; text-align: center; font-variant-numeric: tabular-nums;
}
.caption { margin: 0; overflow-wrap: anywhere; font-size: 14.5px; }
.stage { overflow: auto; max-height: 620px; border-block: 1px solid var(--edge); background: var(--surface); }
svg { display: block; }
.stage > svg { margin: 0 auto; user-select: none; -webkit-user-select: none; }
.title { fill: var(--muted); font-size: 11px; letter-spacing: .06em; text-transform: uppercase; text-anchor: middle; }
.box { stroke-width: 1.4; }
.publisher .box { fill: var(--publisher); stroke: var(--publisher-edge); }
.exchange .box { fill: var(--exchange); stroke: var(--exchange-edge); }
.queue .box { fill: var(--queue); stroke: var(--queue-edge); }
.consumer .box { fill: var(--consumer); stroke: var(--consumer-edge); }
.actor.active .box { stroke-width: 3; }
.name { fill: var(--ink); font-size: 13px; font-weight: 600; text-anchor: middle; }
.kind { fill: var(--muted); font-size: 11px; text-anchor: middle; }
.slot { fill: none; stroke: var(--queue-edge); opacity: .35; stroke-dasharray: 2 3; }
.count { fill: var(--ink); font-size: 12px; font-weight: 600; font-variant-numeric: tabular-nums; }
.link { fill: none; stroke: var(--line); stroke-width: 1.5; }
.link.implicit, .link.alternate { stroke-dasharray: 6 4; }
.link.dead-letter { stroke-dasharray: 2 4; stroke-linecap: round; stroke-width: 2; }
.link.active { stroke: var(--accent); stroke-width: 3; }
.head-of-link { fill: var(--line); }
.head-of-link.active { fill: var(--accent); }
.key rect { fill: var(--surface); stroke: var(--edge); }
.key text { fill: var(--ink); font: 11px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; text-anchor: middle; }
.letter { cursor: pointer; }
.letter .paper { fill: var(--paper); stroke: var(--hue); stroke-width: 1.6; }
.letter .flap { fill: none; stroke: var(--hue); stroke-width: 1.1; opacity: .55; }
.letter text { fill: var(--paper-ink); font-size: 10px; font-weight: 700; text-anchor: middle; }
.letter.small text { font-size: 9px; }
.letter.returned .paper, .letter.requeued .paper { stroke-dasharray: 4 2; }
.letter.dead-lettered .paper { stroke: #24292f; stroke-width: 3; }
.letter.dropped .paper, .letter.removed .paper { stroke: var(--bad); stroke-dasharray: 2 2; }
.letter .tag { fill: var(--tag, var(--warm)); stroke: #fff; stroke-width: 1; }
.letter .tag-text { fill: #fff; font-size: 11px; }
.letter.requeued { --tag: var(--soft); } .letter.dead-lettered { --tag: #24292f; }
.letter.dropped, .letter.removed { --tag: var(--bad); } .letter.unknown { --tag: #57606a; }
.letter .halo { fill: none; stroke: none; }
.letter.chosen .halo { stroke: var(--accent); stroke-width: 3; }
.letter .name-tag { font-size: 11px; font-weight: 500; fill: var(--ink); stroke: var(--surface); stroke-width: 4px;
  stroke-linejoin: round; paint-order: stroke; }
.mark path { fill: var(--good); stroke: #fff; stroke-width: 1.4; }
.mark.refused path, .mark.rejected path { fill: var(--bad); }
.mark text { fill: #fff; font-size: 12px; font-weight: 700; text-anchor: middle; }
.mark .times { font-size: 11px; font-weight: 600; fill: var(--ink); stroke: var(--surface); stroke-width: 4px;
  paint-order: stroke; text-anchor: start; }
.letter .times { font-size: 11px; fill: var(--ink); stroke: var(--surface); stroke-width: 4px; paint-order: stroke;
  text-anchor: start; }
.tally { font-size: 12px; fill: var(--ink); text-anchor: start; font-variant-numeric: tabular-nums; }
.controls { display: flex; flex-wrap: wrap; gap: 4px; align-items: center; padding: 8px 10px; }
button, select { font: inherit; color: inherit; }
.controls button, .panel .close {
  display: inline-grid; place-items: center; width: 34px; height: 34px; padding: 0; border: 1px solid transparent;
  border-radius: 8px; background: none; cursor: pointer;
}
.controls button:hover, .panel .close:hover { background: var(--sunk); border-color: var(--edge); }
.controls button:disabled { opacity: .4; cursor: default; }
.controls .play { width: 42px; background: var(--accent); color: var(--on-accent); }
.controls .play:hover { background: var(--accent); filter: brightness(1.12); }
.controls svg, .close svg { width: 20px; height: 20px; fill: currentColor; }
.controls input { flex: 1 1 140px; min-width: 100px; height: 34px; margin: 0 8px; accent-color: var(--accent); }
.controls select {
  height: 34px; padding: 0 6px; border: 1px solid var(--edge); border-radius: 8px; background: var(--surface);
}
.controls option { color: var(--ink); background: var(--surface); }
:focus { outline: none; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.stage:focus-visible { outline-offset: -3px; }
.strip {
  display: flex; flex-wrap: wrap; gap: 6px; max-height: 118px; overflow: auto; padding: 10px 14px; margin: 0;
  border-top: 1px solid var(--edge);
}
.chip {
  display: inline-flex; gap: 6px; align-items: center; max-width: 230px; padding: 2px 9px; font-size: 12.5px;
  border: 1px solid var(--edge); border-radius: 999px; background: var(--surface); cursor: pointer; white-space: nowrap;
}
.chip:hover { background: var(--sunk); }
.chip[aria-pressed="true"] { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }
.chip b { font-variant-numeric: tabular-nums; }
.chip .of { overflow: hidden; text-overflow: ellipsis; }
.chip .fates { font-weight: 700; letter-spacing: .1em; }
.note { padding: 2px 0; color: var(--muted); font-size: 12.5px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 0; padding: 2px 14px 10px; list-style: none;
  color: var(--muted); font-size: 12px; }
.legend b { display: inline-block; min-width: 1.1em; color: var(--ink); }
.panel { border-top: 1px solid var(--edge); padding: 10px 14px 12px; background: var(--sunk); }
.panel header { display: flex; justify-content: space-between; align-items: center; gap: 10px; }
.panel h3, .panel h4 { margin: 0; font-size: 15px; font-weight: 600; color: inherit; overflow-wrap: anywhere; }
.panel h4 { margin: 10px 0 2px; font-size: 12.5px; color: var(--muted); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 0 26px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { padding: 2px 10px 2px 0; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { width: 9.5em; font-weight: 500; color: var(--muted); }
pre {
  margin: 2px 0 0; padding: 8px 10px; max-height: 220px; overflow: auto; border: 1px solid var(--edge);
  border-radius: 6px; background: var(--surface); color: var(--ink); white-space: pre-wrap; overflow-wrap: anywhere;
  font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
}
.panel ol, .words ol { margin: 2px 0 0; padding-left: 2.6em; font-size: 13px; }
.words { padding: 8px 14px 10px; border-top: 1px solid var(--edge); font-size: 13px; }
.words summary { cursor: pointer; color: var(--muted); }
.words ol { max-height: 260px; overflow: auto; }
[aria-current] { font-weight: 600; }
.heard { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
[hidden] { display: none !important; }
@media (forced-colors: active) { .box, .link, .paper { stroke: CanvasText; } }
`;

// Elements -------------------------------------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";

/** An element; texts among its children become text nodes, so that no data is ever read as HTML. */
function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function draw(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function icon(name) {
  return draw("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, draw("path", { d: ICONS[name] }));
}

let measuring;

/** How wide a text is, in pixels. */
function widthOf(text, font) {
  measuring ??= document.createElement("canvas").getContext("2d");
  measuring.font = font;
  return measuring.measureText(text).width;
}

/** The text, with "…" for its middle where it is too wide: names often differ in their ends. */
function fitting(text, width, font) {
  if (widthOf(text, font) <= width) return text;
  const letters = [...text];
  let short = "…";
  for (let kept = 1; kept < letters.length; kept++) {
    const end = Math.floor(kept / 3);
    const next = letters.slice(0, kept - end).join("") + "…" + letters.slice(letters.length - end).join("");
    if (widthOf(next, font) > width) break;
    short = next;
  }
  return short;
}

function plural(count, word) {
  return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
}

// Layout: columns from left to right, links as curves ------------------------------------------------------------

const BOX = { least: 108, most: 196, height: 78, gap: 22, margin: 14, top: 34 };
const KEY_FONT = "11px ui-monospace, Menlo, Consolas, monospace";

/** Where everything stands in a drawing of a given width, or wider where that is too narrow. */
function layout(data, room) {
  const columns = columnsOf(data);
  const column = new Map(columns.flatMap((actors, index) => actors.map((actor) => [actor.id, index])));
  // A key that is written on a link needs room between the columns.
  const wanted = columns.slice(1).map(() => 54);
  for (const link of data.links) {
    const index = Math.min(column.get(link.source), column.get(link.target));
    if (index < wanted.length) {
      const needed = link.label && link.kind !== "dead-letter" ? widthOf(link.label, KEY_FONT) + 40 : 0;
      wanted[index] = Math.max(wanted[index], Math.min(needed, 150));
    }
  }
  const gaps = wanted.reduce((sum, gap) => sum + gap, 0);
  const free = room - 2 * BOX.margin - gaps;
  const wide = Math.max(BOX.least, Math.min(BOX.most, (free * 0.86) / columns.length));
  const width = Math.max(room, 2 * BOX.margin + gaps + columns.length * wide);
  const spare = (width - 2 * BOX.margin - gaps - columns.length * wide) / Math.max(1, wanted.length);
  const tallest = Math.max(1, ...columns.map((actors) => actors.length));
  const pitch = BOX.height + BOX.gap;
  const boxes = new Map();
  let x = BOX.margin;
  const titles = columns.map((actors, index) => {
    actors.forEach((actor, row) => {
      const y = BOX.top + (row + (tallest - actors.length) / 2) * pitch;
      boxes.set(actor.id, { x, y, width: wide, height: BOX.height, cx: x + wide / 2, cy: y + BOX.height / 2 });
    });
    const title = { x: x + wide / 2, text: COLUMNS[actors[0].role] };
    x += wide + (wanted[index] ?? 0) + spare;
    return title;
  });
  const curves = new Map(data.links.map((link) => [`${link.source}>${link.target}`, curve(link, boxes)]));
  return { width, height: BOX.top + tallest * pitch, boxes, curves, titles: titles.filter(isFirst) };
}

function isFirst(title, index, titles) {
  return titles.findIndex((other) => other.text === title.text) === index;
}

/** One column a role; an exchange that is bound to another one stands to the right of it. */
function columnsOf(data) {
  const roleOf = new Map(data.actors.map((actor) => [actor.id, actor.role]));
  const between = data.links.filter(
    (link) => roleOf.get(link.source) === "exchange" && roleOf.get(link.target) === "exchange",
  );
  const rank = new Map();
  // As often as there can be ranks: exchanges may be bound in a circle.
  for (let round = 0; round < 4; round++) {
    for (const { source, target } of between) {
      if (source !== target) rank.set(target, Math.min(3, Math.max(rank.get(target) ?? 0, (rank.get(source) ?? 0) + 1)));
    }
  }
  const columns = new Map();
  for (const role of Object.keys(COLUMNS)) {
    for (const actor of data.actors.filter((one) => one.role === role)) {
      const name = `${role}${String(rank.get(actor.id) ?? 0)}`;
      columns.set(name, [...(columns.get(name) ?? []), actor]);
    }
  }
  const order = Object.keys(COLUMNS);
  const place = (name) => order.indexOf(name.slice(0, -1)) * 10 + Number(name.slice(-1));
  return [...columns].sort(([one], [other]) => place(one) - place(other)).map(([, actors]) => actors);
}

/** A link as the four points of a cubic Bézier curve. */
function curve(link, boxes) {
  const from = boxes.get(link.source);
  const to = boxes.get(link.target);
  if (from.x < to.x) {
    const bend = Math.max(26, (to.x - from.x - from.width) * 0.5);
    const start = [from.x + from.width, from.cy];
    return [start, [start[0] + bend, from.cy], [to.x - bend, to.cy], [to.x, to.cy]];
  }
  if (from.x > to.x) {
    // Back to the left, as dead letters go: below the links that lead here.
    const [x1, y1, x2, y2] = [from.x, from.y + from.height - 12, to.x + to.width, to.y + to.height - 12];
    const bend = Math.max(26, (x1 - x2) * 0.5);
    return [[x1, y1], [x1 - bend, y1 + 10], [x2 + bend, y2 + 10], [x2, y2]];
  }
  // In the same column: a bow on the right.
  const x = from.x + from.width;
  return [[x, from.cy + 8], [x + 46, from.cy + 8], [x + 46, to.cy - 8], [x, to.cy - 8]];
}

function pointOn([a, b, c, d], at) {
  const rest = 1 - at;
  const [p, q, r, s] = [rest ** 3, 3 * rest * rest * at, 3 * rest * at * at, at ** 3];
  return [p * a[0] + q * b[0] + r * c[0] + s * d[0], p * a[1] + q * b[1] + r * c[1] + s * d[1]];
}

/** Where something on a path is, `at` from 0 to 1; paths go along links in either direction, and through boxes. */
function pointOnPath(plan, path, at) {
  const legs = path.length - 1;
  const leg = Math.min(legs - 1, Math.floor(at * legs));
  const [from, to] = [path[leg], path[leg + 1]];
  const along = at * legs - leg;
  if (plan.curves.has(`${from}>${to}`)) return pointOn(plan.curves.get(`${from}>${to}`), along);
  if (plan.curves.has(`${to}>${from}`)) return pointOn(plan.curves.get(`${to}>${from}`), 1 - along);
  return pointOn(curve({ source: from, target: to }, plan.boxes), along);
}

// Timeline: what waits where, and what is on its way, at any moment ------------------------------------------------

/** Time counts in steps. With `spread` 1 a step's moves end as the next step begins; with more, moves of several steps
 *  overlap, so that a long story is a stream of messages; the moves of one message still follow one another. */
class Timeline {
  constructor(data, spread) {
    this.data = data;
    this.acts = [];
    const free = new Map();
    data.steps.forEach((step, index) => {
      const flights = flightsOf(step, index);
      // All moves of a step start together, when the last of its messages has arrived.
      const start = flights.flatMap((flight) => flight.messages).reduce((at, one) => Math.max(at, free.get(one) ?? 0), index);
      // What lags behind hurries.
      const end = start + (start - index > 3 * spread ? 1 : spread);
      for (const flight of flights) {
        flight.messages.forEach((number) => free.set(number, end));
        Object.assign(flight, { start, end });
        this.acts.push({ at: start, flight, ends: false }, { at: end, flight, ends: true });
      }
    });
    this.acts.sort((one, other) => one.at - other.at || Number(other.ends) - Number(one.ends));
    this.end = Math.max(data.steps.length, this.acts.at(-1)?.at ?? 0);
    this.reset();
  }

  reset() {
    this.at = 0;
    this.next = 0;
    this.version = (this.version ?? 0) + 1;
    this.waiting = new Map(this.data.actors.map((actor) => [actor.id, []]));
    this.tallies = new Map(this.data.actors.map((actor) => [actor.id, new Map()]));
    this.fates = new Map();
    this.changed = null;
    this.flying = new Set();
  }

  /** Go to a moment, forward or back. */
  seek(at) {
    if (at < this.at) this.reset();
    this.at = at;
    while (this.next < this.acts.length) {
      const act = this.acts[this.next];
      if (act.at > at || (act.at === at && !act.ends)) break;
      if (act.ends) this.land(act.flight);
      else this.depart(act.flight);
      this.next++;
      this.version++;
    }
  }

  depart(flight) {
    this.flying.add(flight);
    if (!LOOKS[flight.look]?.takes) return;
    const place = this.waiting.get(flight.path[0]);
    for (const number of flight.messages) {
      const found = place.indexOf(number);
      if (found >= 0) place.splice(found, 1);
    }
  }

  land(flight) {
    this.flying.delete(flight);
    const look = LOOKS[flight.look] ?? {};
    if (look.carries && flight.stays && flight.path.length > 1) {
      this.waiting.get(flight.path.at(-1)).push(...flight.messages);
    }
    if (look.fate) {
      for (const number of flight.messages) {
        const fates = this.fates.get(number) ?? "";
        if (!fates.includes(look.fate)) this.fates.set(number, fates + look.fate);
        this.changed?.add(number);
      }
    }
    if (look.tally) {
      const tally = this.tallies.get(look.tally === "first" ? flight.path[0] : flight.path.at(-1));
      tally.set(look.fate, (tally.get(look.fate) ?? 0) + flight.messages.length);
    }
  }
}

/** A step's moves; those that look alike and go the same way are one flight of several messages. */
function flightsOf(step, index) {
  const flights = new Map();
  for (const { message, path, look, stays } of step.moves) {
    const key = `${look} ${stays} ${path.join(" ")}`;
    if (!flights.has(key)) flights.set(key, { step: index, look, stays, path, messages: [] });
    flights.get(key).messages.push(message);
  }
  return [...flights.values()];
}

// Stage: the drawing ---------------------------------------------------------------------------------------------

/** Draws a layout once, and then only what changes. */
class Stage {
  constructor(data, choose) {
    this.data = data;
    this.choose = choose;
    this.svg = draw("svg", { role: "img" });
    this.svg.addEventListener("click", (event) => {
      const letter = event.target.closest("[data-message]");
      if (letter) this.choose(Number(letter.dataset.message));
    });
    this.labels = new Map(data.messages.map((message) => [message.number, message.label]));
  }

  /** Lay everything out anew for a width in pixels. */
  resize(room, font) {
    const plan = (this.plan = layout(this.data, room));
    this.font = font;
    this.drawn = null;
    this.svg.setAttribute("width", plan.width);
    this.svg.setAttribute("height", plan.height);
    this.svg.setAttribute("viewBox", `0 0 ${plan.width} ${plan.height}`);
    this.lines = new Map();
    this.keys = [];
    this.actors = new Map();
    const links = this.data.links.map((link) => this.link(link));
    const keys = this.data.links.map((link) => this.key(link)).filter(Boolean);
    const actors = this.data.actors.map((actor) => this.actor(actor));
    this.sky = draw("g");
    this.pool = [];
    this.svg.replaceChildren(
      ...plan.titles.map(({ x, text }) => draw("text", { class: "title", x, y: 18 }, text)),
      ...links, ...actors, ...keys, this.sky,
    );
  }

  link(link) {
    const [a, b, c, d] = this.plan.curves.get(`${link.source}>${link.target}`);
    const turn = (Math.atan2(d[1] - c[1], d[0] - c[0]) * 180) / Math.PI;
    const line = draw("path", { class: `link ${link.kind}`, d: `M${a}C${b} ${c} ${d}` });
    const head = draw("path", {
      class: "head-of-link", d: "M0,0L-9,-4.5V4.5Z", transform: `translate(${d}) rotate(${turn})`,
    });
    this.lines.set(`${link.source}>${link.target}`, [line, head]);
    return draw("g", {}, line, head);
  }

  key(link) {
    if (!link.label) return null;
    const points = this.plan.curves.get(`${link.source}>${link.target}`);
    const room = Math.max(64, Math.abs(points[3][0] - points[0][0]) - 18);
    const text = fitting(link.label, room - 12, KEY_FONT);
    const width = widthOf(text, KEY_FONT) + 12;
    const [low, high] = [points[0][0], points[3][0]].sort((one, other) => one - other);
    // Nearer to the end, where links that leave together have parted; never over a box, nor over another key.
    const places = [0.6, 0.7, 0.5, 0.78, 0.4, 0.3].map((at) => {
      const [x, y] = pointOn(points, at);
      return [Math.min(Math.max(x, low + 2 + width / 2), Math.max(low + 2 + width / 2, high - 11 - width / 2)), y];
    });
    const free = ([x, y]) => this.keys.every((key) => Math.abs(key.y - y) > 20 || Math.abs(key.x - x) > (key.width + width) / 2);
    const [x, y] = places.find(free) ?? places[0];
    this.keys.push({ x, y, width });
    return draw(
      "g", { class: "key", transform: `translate(${x},${y})` },
      draw("title", {}, link.label),
      draw("rect", { x: -width / 2, y: -9.5, width, height: 19, rx: 5 }),
      draw("text", { y: 4 }, text),
    );
  }

  actor(actor) {
    const { x, y, width, height } = this.plan.boxes.get(actor.id);
    const round = { publisher: 22, consumer: 22, exchange: 12, queue: 4 }[actor.role];
    const content = draw("g", { transform: `translate(0,${height - 18})` });
    const group = draw(
      "g", { class: `actor ${actor.role}`, transform: `translate(${x},${y})`, "data-actor": actor.id },
      draw("title", {}, `${actor.name} (${actor.kind})`),
      draw("rect", { class: "box", width, height, rx: round }),
      draw("text", { class: "name", x: width / 2, y: 21 }, fitting(actor.name, width - 18, `600 13px ${this.font}`)),
      draw("text", { class: "kind", x: width / 2, y: 37 }, this.kind(actor, width - 18)),
      content,
    );
    this.actors.set(actor.id, { group, content, width, role: actor.role, shown: "" });
    return group;
  }

  /** "topic exchange"; "topic" where there is no room, as the column says the rest. */
  kind(actor, room) {
    const font = `11px ${this.font}`;
    const short = widthOf(actor.kind, font) > room ? actor.kind.replace(/ (exchange|queue)$/, "") : actor.kind;
    return fitting(short, room, font);
  }

  /** Draw the moment that a timeline stands at. Returns how many flights there was no room for. */
  show(timeline, { chosen, step, parked }) {
    if (this.drawn !== timeline.version || this.chosen !== chosen) {
      for (const id of this.actors.keys()) this.fill(id, timeline, chosen);
      this.drawn = timeline.version;
      this.chosen = chosen;
    }
    this.light(step);
    const flying = [...timeline.flying, ...parked];
    flying.slice(0, MOST_FLYING).forEach((flight, index) => {
      this.place(index, flight, timeline.at, flying.length, chosen, parked.includes(flight));
    });
    this.pool.slice(Math.min(flying.length, MOST_FLYING)).forEach((one) => one.group.setAttribute("display", "none"));
    return Math.max(0, flying.length - MOST_FLYING);
  }

  /** The last row of a box: the messages that wait there, and what was said there. */
  fill(id, timeline, chosen) {
    const actor = this.actors.get(id);
    const waiting = timeline.waiting.get(id);
    const said = [...timeline.tallies.get(id)].map(([symbol, count]) => `${symbol} ${count}`).join("\u2002");
    // How many are ready, beside the first of them.
    const count = actor.width < 150 ? String(waiting.length) : `${waiting.length} ready`;
    const room = actor.width - 22 - (said ? widthOf(said, `12px ${this.font}`) + 8 : 0) - (actor.role === "queue" ? widthOf(count, `600 12px ${this.font}`) : 0);
    const places = Math.max(1, Math.min(6, Math.floor(room / 22)));
    const shown = waiting.slice(0, places);
    const state = `${shown.join()} ${waiting.length} ${said} ${shown.includes(chosen) ? chosen : ""}`;
    if (state === actor.shown) return;
    actor.shown = state;
    const parts = [];
    if (actor.role === "queue") {
      // The head of the queue is on the right, where consumers take from.
      const right = actor.width - 16;
      for (let place = 0; place < places; place++) {
        const at = right - 8 - place * 22;
        parts.push(
          shown[place] === undefined
            ? draw("rect", { class: "slot", x: at - 8.5, y: -6, width: 17, height: 12, rx: 2 })
            : this.letter(shown[place], at, chosen),
        );
      }
      parts.push(
        draw("text", { class: "count", x: 12, y: 4.5 }, count, draw("title", {}, plural(waiting.length, "message") + " ready")),
      );
    } else {
      const left = (actor.width - (shown.length * 22 + (said ? widthOf(said, `12px ${this.font}`) + 6 : 0))) / 2;
      shown.forEach((number, place) => parts.push(this.letter(number, left + 11 + place * 22, chosen)));
      let end = left + shown.length * 22 + 4;
      if (waiting.length > shown.length) {
        parts.push(draw("text", { class: "tally", x: end, y: 4.5 }, `+${waiting.length - shown.length}`));
        end += 30;
      }
      if (said) parts.push(draw("text", { class: "tally", x: end, y: 4.5 }, said));
    }
    actor.content.replaceChildren(...parts);
  }

  letter(number, x, chosen) {
    return draw(
      "g", {
        class: `letter small${number === chosen ? " chosen" : ""}`, transform: `translate(${x},0)`,
        "data-message": number,
      },
      ...this.envelope(number, 17, 12, String(number).length > 3 ? "" : String(number)),
    );
  }

  envelope(number, width, height, text) {
    const [x, y] = [-width / 2, -height / 2];
    const hue = HUES[number % HUES.length];
    const paper = draw("rect", { class: "paper", x, y, width, height, rx: 2 });
    const flap = draw("path", { class: "flap", d: `M${x},${y}L0,${y + height * 0.5}L${-x},${y}` });
    paper.style.setProperty("--hue", hue);
    flap.style.setProperty("--hue", hue);
    return [
      draw("rect", { class: "halo", x: x - 3, y: y - 3, width: width + 6, height: height + 6, rx: 4 }),
      paper, flap, draw("text", { y: height > 14 ? 5.5 : 3.6 }, text),
    ];
  }

  /** Put one flight where it is now; its elements are made once and then moved. */
  place(index, flight, at, flying, chosen, isParked) {
    const one = (this.pool[index] ??= { group: this.sky.appendChild(draw("g")) });
    const named = flying <= 4;
    const isChosen = flight.messages.includes(chosen);
    if (one.flight !== flight || one.named !== named || one.isChosen !== isChosen) {
      Object.assign(one, { flight, named, isChosen });
      this.dress(one.group, flight, named, isChosen);
      one.name = one.group.querySelector(".name-tag");
    }
    const part = isParked ? 0.5 : Math.min(1, (at - flight.start) / (flight.end - flight.start) / MOVING);
    const eased = part < 0.5 ? 2 * part * part : 1 - 2 * (1 - part) ** 2;
    let [x, y] = [0, 0];
    let opacity = 1;
    if (flight.path.length > 1) {
      [x, y] = pointOnPath(this.plan, flight.path, eased);
    } else {
      const box = this.plan.boxes.get(flight.path[0]);
      const falls = LOOKS[flight.look]?.falls;
      [x, y] = [box.cx, box.y + box.height - 18 + (falls ? 44 * eased : 0)];
      opacity = falls ? 1 - Math.max(0, part - 0.6) * 2.2 : 1;
    }
    one.group.setAttribute("transform", `translate(${x.toFixed(1)},${y.toFixed(1)})`);
    one.group.setAttribute("opacity", opacity.toFixed(2));
    one.group.removeAttribute("display");
    // A name fades where it would lie over a box.
    one.name?.setAttribute("opacity", Math.min(1, 5 * Math.min(eased, 1 - eased)).toFixed(2));
  }

  dress(group, flight, named, isChosen) {
    const look = LOOKS[flight.look] ?? LOOKS.message;
    const [number] = flight.messages;
    const times = flight.messages.length > 1 ? `× ${flight.messages.length}` : "";
    group.dataset.message = number;
    group.setAttribute("class", `${look.carries ? "letter" : "mark"} ${flight.look}${isChosen ? " chosen" : ""}`);
    const title = draw("title", {}, `message ${number}, ${look.word}${times && ` (and ${flight.messages.length - 1} more)`}`);
    if (!look.carries) {
      group.replaceChildren(
        title, draw("path", { d: SHAPES[look.shape] }), draw("text", { y: 4.4 }, look.fate),
        draw("text", { class: "times", x: 15, y: 4 }, times),
      );
      return;
    }
    const label = times ? "" : this.labels.get(number) ?? "";
    const parts = [title, ...this.envelope(number, 30, 21, String(number))];
    if (times) parts.push(draw("text", { class: "times", x: 20, y: 4 }, times));
    if (look.fate) {
      parts.push(
        draw("circle", { class: "tag", cx: 15, cy: -10, r: 8 }), draw("text", { class: "tag-text", x: 15, y: -6 }, look.fate),
      );
    }
    if (named && label) parts.push(draw("text", { class: "name-tag", y: 24 }, label));
    group.replaceChildren(...parts);
  }

  /** Make the ways and the boxes of one step stand out. */
  light(step) {
    if (this.lit === step) return;
    this.lit = step;
    const moves = this.data.steps[step]?.moves ?? [];
    const ways = new Set(
      moves.flatMap(({ path }) => path.slice(1).flatMap((id, at) => [`${path[at]}>${id}`, `${id}>${path[at]}`])),
    );
    const ends = new Set(moves.flatMap(({ path }) => path));
    this.lines.forEach((parts, way) => parts.forEach((part) => part.classList.toggle("active", ways.has(way))));
    this.actors.forEach(({ group }, id) => group.classList.toggle("active", ends.has(id)));
  }
}

// Player: the drawing with its controls, captions and messages -----------------------------------------------------

class Player {
  constructor(element, data) {
    this.data = data;
    this.count = data.steps.length;
    // Steps in a second at normal speed, and how many steps a move then takes.
    this.rate = Math.max(1, this.count / LONGEST_PLAY);
    this.exact = new Timeline(data, 1);
    this.stream = this.rate > 1 ? new Timeline(data, Math.max(1, this.rate * 0.9)) : this.exact;
    this.messages = new Map(data.messages.map((message) => [message.number, message]));
    this.step = 0;
    this.playing = false;
    this.speed = 1;
    this.undo = [];
    this.host = make("div", { class: "rabbitmq-labs-flow" });
    const shadow = this.host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    shadow.adoptedStyleSheets = [sheet];
    this.stage = new Stage(data, (number) => this.choose(number));
    this.root = this.build();
    shadow.append(this.root);
    element.append(this.host);
    this.watch();
    this.goTo(0);
  }

  // What it is made of

  build() {
    const nothing = this.count === 0;
    const button = (name, label, press) =>
      make("button", { type: "button", class: name, "aria-label": label, title: label, disabled: nothing, onclick: press }, icon(name));
    this.badge = make("span", { class: "badge" });
    this.caption = make("p", { class: "caption" });
    this.heard = make("div", { class: "heard", "aria-live": "polite", role: "status" });
    this.stage.svg.setAttribute("aria-label", this.described());
    this.view = make(
      "div", {
        class: "stage", tabindex: "0", role: "group",
        "aria-label": "Message flow: space plays and pauses, the arrow keys step, Home and End go to the ends",
      },
      this.stage.svg,
    );
    this.playButton = button("play", "Play", () => this.toggle());
    this.range = make("input", {
      type: "range", min: 0, max: this.count, step: 1, value: 0, "aria-label": "Step", disabled: nothing,
      oninput: () => this.goTo(Number(this.range.value)),
    });
    this.speeds = make(
      "select", { "aria-label": "Speed", title: "Speed", onchange: () => (this.speed = Number(this.speeds.value)) },
      ...SPEEDS.map((speed) => make("option", { value: speed, selected: speed === 1 }, `${speed}×`)),
    );
    this.more = make("span", { class: "note", hidden: true });
    const controls = make(
      "div", { class: "controls", role: "group", "aria-label": "Playback" },
      button("first", "To the beginning", () => this.goTo(0)),
      button("back", "One step back", () => this.back()),
      this.playButton,
      button("forward", "One step forward", () => this.forward()),
      button("last", "To the end", () => this.goTo(this.count)),
      this.range, this.speeds,
    );
    this.panel = make("section", { class: "panel", hidden: true, "aria-live": "off" });
    const root = make(
      "section", { class: "player", "aria-label": "Message flow player" },
      make("div", { class: "head" }, this.badge, make("div", {}, this.caption, this.more)),
      this.view, controls, this.strip(), this.legend(), this.panel, this.words(), this.heard,
    );
    root.addEventListener("keydown", (event) => this.key(event));
    return root;
  }

  described() {
    const counts = Object.keys(COLUMNS).map((role) =>
      plural(this.data.actors.filter((actor) => actor.role === role).length, role),
    );
    return `${counts.join(", ")}; ${plural(this.messages.size, "message")} in ${plural(this.count, "step")}`;
  }

  /** A button for each message; one of them is in the tab order, the arrow keys go to the others. */
  strip() {
    const listed = this.data.messages.slice(0, MOST_LISTED);
    this.chips = new Map(
      listed.map((message, index) => {
        const fates = make("span", { class: "fates", "aria-hidden": "true" });
        const chip = make(
          "button", {
            type: "button", class: "chip", "aria-pressed": "false", tabindex: index ? -1 : 0, "data-chip": message.number,
            onclick: () => this.choose(this.chosen === message.number ? undefined : message.number),
          },
          make("b", {}, String(message.number)), make("span", { class: "of" }, message.label), fates,
        );
        return [message.number, { chip, fates, label: `Message ${message.number}, ${message.label}` }];
      }),
    );
    const left = this.data.messages.length - listed.length;
    return make(
      "div", { class: "strip", role: "group", "aria-label": "Messages", hidden: !listed.length },
      ...[...this.chips.values()].map(({ chip }) => chip),
      ...(left ? [make("span", { class: "note" }, `and ${plural(left, "more message")}, not listed`)] : []),
    );
  }

  legend() {
    const used = new Set(this.data.steps.flatMap((step) => step.moves.map((move) => move.look)));
    const looks = Object.entries(LOOKS).filter(([name, look]) => look.fate && used.has(name));
    return make(
      "ul", { class: "legend", "aria-label": "Symbols", hidden: !looks.length },
      ...looks.map(([, look]) => make("li", {}, make("b", {}, look.fate), ` ${look.word}`)),
    );
  }

  /** Everything as text; made when it is opened, for it may be long. */
  words() {
    const list = make("ol", { tabindex: "0", "aria-label": "All steps" });
    return make(
      "details", {
        class: "words",
        ontoggle: () => {
          if (!list.childElementCount) list.append(...this.data.steps.map((step) => make("li", {}, step.caption)));
        },
      },
      make("summary", {}, `All ${plural(this.count, "step")} as text`), list,
    );
  }

  /** Follow the size of the page, its theme, and whether motion is wanted. */
  watch() {
    const calm = matchMedia("(prefers-reduced-motion: reduce)");
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const theme = () => this.root.classList.toggle("dark", isDark(this.host, dark.matches));
    const motion = () => (this.calm = calm.matches);
    const themes = new MutationObserver(theme);
    for (const node of [document.documentElement, document.body]) {
      themes.observe(node, { attributeFilter: ["data-jp-theme-light", "data-md-color-scheme", "class"] });
    }
    const sizes = new ResizeObserver(() => this.resize());
    sizes.observe(this.view);
    dark.addEventListener("change", theme);
    calm.addEventListener("change", motion);
    this.undo.push(() => {
      themes.disconnect();
      sizes.disconnect();
      dark.removeEventListener("change", theme);
      calm.removeEventListener("change", motion);
    });
    theme();
    motion();
    this.resize();
  }

  resize() {
    const room = this.view.clientWidth || 700;
    if (room === this.room) return;
    this.room = room;
    this.stage.resize(room, getComputedStyle(this.root).fontFamily);
    if (this.timeline) this.render();
  }

  destroy() {
    cancelAnimationFrame(this.frame);
    this.undo.forEach((undo) => undo());
    this.host.remove();
  }

  // Where it stands. `step` counts the steps that have begun; a step whose messages still move is the last of them.

  /** Stand still after some number of steps. */
  goTo(step) {
    this.halt();
    this.stand(step);
  }

  stand(step) {
    this.timeline = this.exact;
    this.step = Math.max(0, Math.min(this.count, step));
    this.timeline.seek(this.step);
    this.render();
  }

  back() {
    this.goTo(this.step - 1);
  }

  /** Play one step only. */
  forward() {
    const from = this.step;
    if (from >= this.count) return this.goTo(this.count);
    if (this.calm) return this.goTo(from + 1);
    this.halt();
    this.timeline = this.exact;
    this.run(from, from + 1, 1);
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    if (!this.count) return;
    // On from where a pause has stopped it; from the beginning where it had come to the end.
    const resumes = this.timeline === this.stream && !Number.isInteger(this.timeline.at);
    const from = this.step >= this.count && !resumes ? 0 : resumes ? this.timeline.at : this.step;
    this.halt();
    this.playing = true;
    this.timeline = this.stream;
    this.run(from, this.stream.end, this.rate);
  }

  pause() {
    this.halt();
    this.render();
  }

  halt() {
    cancelAnimationFrame(this.frame);
    this.playing = false;
  }

  /** Let time pass, from one moment of the timeline to another. */
  run(from, to, rate) {
    let at = from;
    let before;
    const tick = (now) => {
      at = Math.min(to, at + ((now - (before ?? now)) / 1000) * rate * this.speed);
      before = now;
      if (at >= to) return this.goTo(Math.min(this.count, Math.round(to)));
      this.step = Math.min(this.count, Math.floor(at) + 1);
      // Without motion, steps follow one another at the same pace, each as it ends.
      if (this.calm) this.timeline = this.exact;
      this.timeline.seek(this.calm ? this.step : at);
      this.render();
      this.frame = requestAnimationFrame(tick);
    };
    this.frame = requestAnimationFrame(tick);
  }

  // What it shows

  render() {
    const last = this.step - 1;
    const resting = this.timeline.flying.size === 0;
    // What leaves no trace is shown half way where nothing moves.
    const parked = this.calm && resting && last >= 0
      ? flightsOf(this.data.steps[last], last).filter(({ look, path }) => !LOOKS[look]?.carries || path.length === 1)
      : [];
    const unseen = this.stage.show(this.timeline, { chosen: this.chosen, step: last, parked });
    this.root.dataset.step = this.step;
    this.root.dataset.playing = this.playing;
    this.root.dataset.moving = !resting;
    this.range.value = this.step;
    if (this.shown?.playing !== this.playing) {
      const label = this.playing ? "Pause" : "Play";
      this.playButton.replaceChildren(icon(this.playing ? "pause" : "play"));
      this.playButton.setAttribute("aria-label", label);
      this.playButton.title = label;
    }
    this.say(unseen);
    this.mark();
    this.shown = { ...this.shown, playing: this.playing };
  }

  /** The caption, at once where it stands still, and now and then while it plays. */
  say(unseen) {
    const now = performance.now() / 1000;
    const words = this.step ? this.data.steps[this.step - 1].caption : this.beginning();
    const shown = (this.shown ??= {});
    const text = `${this.step} ${words}`;
    if (text !== shown.text && (!this.playing || now - (shown.at ?? 0) > SHOWN_EVERY)) {
      this.badge.textContent = `${this.step} / ${this.count}`;
      this.caption.textContent = words;
      this.range.setAttribute("aria-valuetext", `${this.step} of ${this.count}: ${words}`);
      Object.assign(shown, { text, at: now });
    }
    if (text !== shown.spoken && shown.playing !== undefined) {
      if (!this.playing || now - (shown.spokenAt ?? 0) > SPOKEN_EVERY) {
        this.heard.textContent = this.step ? `Step ${this.step} of ${this.count}: ${words}` : words;
        Object.assign(shown, { spoken: text, spokenAt: now });
      }
    }
    this.more.hidden = !unseen;
    if (unseen) this.more.textContent = `${plural(unseen, "more envelope")} on the way, folded here`;
  }

  beginning() {
    if (!this.count) return "Nothing moved while this was recorded.";
    return `${plural(this.messages.size, "message")}, ${plural(this.count, "step")}: press play, or step with the arrow keys.`;
  }

  /** Give each message's button the symbols of what has happened to it. */
  mark() {
    const { fates, changed } = this.timeline;
    if (this.marked === this.timeline && changed) {
      changed.forEach((number) => this.markOne(number, fates));
      changed.clear();
    } else {
      this.chips.forEach((_, number) => this.markOne(number, fates));
      this.marked = this.timeline;
      this.timeline.changed = new Set();
    }
  }

  markOne(number, fates) {
    const one = this.chips.get(number);
    const symbols = fates.get(number) ?? "";
    if (!one || one.shown === symbols) return;
    one.shown = symbols;
    one.fates.textContent = symbols;
    const words = Object.values(LOOKS).filter((look) => look.fate && symbols.includes(look.fate)).map((look) => look.word);
    one.chip.setAttribute("aria-label", [one.label, ...words].join(", "));
  }

  /** Show a message's properties, headers and body; undefined closes the panel. */
  choose(number) {
    const old = this.chips.get(this.chosen);
    old?.chip.setAttribute("aria-pressed", "false");
    this.chosen = number;
    const message = this.messages.get(number);
    this.panel.hidden = !message;
    if (message) {
      const chip = this.chips.get(number)?.chip;
      chip?.setAttribute("aria-pressed", "true");
      this.rove(chip);
      this.panel.setAttribute("aria-label", `Message ${number}`);
      this.panel.replaceChildren(...this.content(message));
    }
    this.render();
  }

  content(message) {
    const close = () => {
      const chip = this.chips.get(message.number)?.chip;
      this.choose(undefined);
      (chip ?? this.view).focus();
    };
    const kind = message.encoding === "hex" ? "in hexadecimal" : "text";
    const size = `${plural(message.size, "byte")}, ${kind}${message.notice && `; shown: ${message.notice}`}`;
    const story = this.data.steps.filter((step) => step.moves.some((move) => move.message === message.number));
    return [
      make(
        "header", {}, make("h3", {}, `Message ${message.number}: ${message.label}`),
        make("button", { type: "button", class: "close", "aria-label": "Close the message", title: "Close", onclick: close }, icon("close")),
      ),
      make(
        "div", { class: "columns" },
        make("div", {}, make("h4", {}, "Properties"), table(message.properties), make("h4", {}, "Headers"), table(message.headers)),
        make("div", {}, make("h4", {}, `Body (${size})`), make("pre", { tabindex: "0", "aria-label": "Body" }, message.body)),
        make("div", {}, make("h4", {}, "What happened to it"), make("ol", {}, ...story.slice(0, 50).map((step) => make("li", {}, step.caption)))),
      ),
    ];
  }

  // Keys

  key(event) {
    const target = event.target;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    // A letter is no command to the notebook that the player stands in.
    event.stopPropagation();
    if (event.key === "Escape" && this.chosen !== undefined) {
      this.panel.querySelector(".close").click();
    } else if (target.matches(".chip") && this.fromChip(target, event.key)) {
      // Went to another message.
    } else if (target.matches("input, select") || (event.key === " " && target.matches("button, summary"))) {
      if (!(event.key === " " && target.matches("input"))) return;
      this.toggle();
    } else if (target.matches("pre, ol")) {
      return;
    } else {
      const acts = {
        " ": () => this.toggle(),
        ArrowLeft: () => this.back(),
        ArrowRight: () => this.forward(),
        Home: () => this.goTo(0),
        End: () => this.goTo(this.count),
      };
      if (!acts[event.key]) return;
      acts[event.key]();
    }
    event.preventDefault();
  }

  fromChip(chip, key) {
    const chips = [...this.chips.values()].map((one) => one.chip);
    const at = chips.indexOf(chip);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: chips.length - 1 }[key];
    if (to === undefined) return false;
    const next = chips[Math.max(0, Math.min(chips.length - 1, to))];
    this.rove(next);
    next.focus();
    return true;
  }

  rove(chip) {
    if (!chip) return;
    this.chips.forEach((one) => one.chip.setAttribute("tabindex", one.chip === chip ? "0" : "-1"));
    chip.scrollIntoView({ block: "nearest" });
  }
}

function table(values) {
  const rows = Object.entries(values);
  if (!rows.length) return make("div", { class: "note" }, "none");
  const word = (value) => (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));
  return make("table", {}, make("tbody", {}, ...rows.map(([name, value]) =>
    make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, word(value))))));
}

/** JupyterLab and Material for MkDocs say themselves whether they are dark; elsewhere the system does. */
function isDark(element, system) {
  const jupyter = document.body.dataset.jpThemeLight;
  if (jupyter) return jupyter === "false";
  const material = element.closest("[data-md-color-scheme]")?.dataset.mdColorScheme;
  if (material) return material === "slate";
  return system;
}

// The two ways in --------------------------------------------------------------------------------------------------

/** Put a player into an element; returns a function that takes it out again. */
export function play(element, data) {
  if (data?.format !== FORMAT) {
    const note = make("p", {}, `This player reads format ${FORMAT} of a flow, and this one is in format ${data?.format}.`);
    element.append(note);
    return () => note.remove();
  }
  const player = new Player(element, data);
  return () => player.destroy();
}

function render({ model, el }) {
  let end = play(el, model.get("data"));
  const again = () => {
    end();
    end = play(el, model.get("data"));
  };
  model.on("change:data", again);
  return () => {
    model.off("change:data", again);
    end();
  };
}

export default { render };
