// The page: what the server sends is drawn, what is done here is sent there.

import { Controls, fromHash, toHash } from './controls.js';
import { Curves } from './curves.js';
import { Panel } from './draw.js';

const byId = (id) => document.getElementById(id);
const GAP = 0.07; // between two modes of a stroke
const HISTORY = 600;

let told; // what the server says of itself
let controls;
let curves;
let panels = [];
let words = {}; // the settings
let status = {};
let frame = null;
let waiting = false; // for the next repaint
let begun = null;
const pen = { drawing: false, down: false, stamps: [], cross: [0, 0], keys: false };

async function send(path, body) {
  const answer = await fetch(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer.json();
}

function complain(error) {
  byId('alert').textContent = error ? error.message : '';
  byId('alert').hidden = !error;
}

let done = Promise.resolve();

// In the order of the keys: a step that came late would pause what plays.
function act(name) {
  done = done.then(() => send('/act', { do: name })).then(() => complain(null), complain);
  return done;
}

let last = Promise.resolve();

// One after the other: each is of what the one before came to.
function change(changes, all) {
  last = last.then(() => put(all || { ...words, ...changes }));
  return last;
}

async function put(all) {
  try {
    const answer = await send('/settings', all);
    complain(null);
    settle(answer.settings);
  } catch (error) {
    complain(error);
    controls.show(words);
  }
}

function settle(settings) {
  words = settings;
  toHash(words);
  controls.show(words);
  if (words.set === 'drawn' && !pen.down) pen.stamps = stampsOf(words.drawn);
}

// ---- Drawing ------------------------------------------------------------------------------------

const hex = (x) => Math.round(((x / told.half + 1) / 2) * told.levels).toString(16).padStart(2, '0');
const fromHex = (text) => (parseInt(text, 16) / told.levels * 2 - 1) * told.half;
const stampsOf = (text) => (text.match(/.{4}/g) || [])
  .map((x) => [fromHex(x.slice(0, 2)), fromHex(x.slice(2))]);
const inside = (x) => Math.max(-told.half, Math.min(told.half, x));

function stamp(x, y) {
  const near = pen.stamps.some(([a, b]) => Math.hypot(a - x, b - y) < GAP);
  if (!near && pen.stamps.length < told.most_modes) pen.stamps.push([inside(x), inside(y)]);
  repaint();
}

function sendDrawing() {
  if (!pen.stamps.length) return;
  change({ set: 'drawn', drawn: pen.stamps.map(([x, y]) => hex(x) + hex(y)).join('') });
}

function setDrawing(on) {
  pen.drawing = on;
  document.body.classList.toggle('drawing', on);
  byId('draw').setAttribute('aria-pressed', on);
  byId('draw-help').hidden = !on;
  if (on && panels.length) panels[0].canvas.focus(); // which brings it into sight
  repaint();
}

function listen(panel) {
  const { canvas } = panel;
  canvas.addEventListener('pointerdown', (event) => {
    if (!pen.drawing || !event.isPrimary || event.button) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    pen.down = true;
    pen.keys = false;
    stamp(...panel.place(event));
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!pen.down) return;
    for (const one of event.getCoalescedEvents?.() || []) stamp(...panel.place(one));
    stamp(...panel.place(event));
  });
  for (const name of ['pointerup', 'pointercancel']) {
    canvas.addEventListener(name, () => {
      if (pen.down) sendDrawing();
      pen.down = false;
    });
  }
  canvas.addEventListener('keydown', (event) => {
    if (!pen.drawing || event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const move = moves[event.key];
    if (!move && event.key !== 'Enter') return;
    event.preventDefault();
    event.stopPropagation();
    pen.keys = true;
    const length = event.shiftKey ? 0.02 : 0.1;
    if (move) pen.cross = pen.cross.map((x, i) => inside(x + length * move[i]));
    else {
      stamp(...pen.cross);
      sendDrawing();
    }
    repaint();
  });
}

// ---- Showing ------------------------------------------------------------------------------------

function repaint() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    paint();
  });
}

function paint() {
  byId('play').textContent = status.playing ? 'Pause' : 'Play';
  if (document.activeElement !== byId('speed')) byId('speed').value = status.speed;
  byId('status').textContent = describe();
  const said = [status.busy || (status.playing ? 'playing' : 'paused'), status.note];
  const line = said.filter(Boolean).join(', ');
  if (byId('said').textContent !== line) byId('said').textContent = line;
  if (!frame) return;
  const count = frame.replicas.length;
  if (panels.length !== count) {
    panels = [...Array(count)].map(() => new Panel(told));
    panels.forEach(listen);
    byId('panels').replaceChildren(...panels.map((x) => x.element));
    byId('panels').dataset.count = count;
  }
  const options = {
    net: byId('show-net').checked,
    arrows: byId('show-arrows').checked,
    drawing: pen.drawing,
    stamps: pen.down || words.set !== 'drawn' ? pen.stamps : [], // drawn ones are real points
    cross: pen.keys ? pen.cross : null,
  };
  panels.forEach((panel, i) => panel.show(frame, i, options));
  curves.draw(frame.num_modes);
}

function describe() {
  if (status.busy) return `${status.busy} a new program`;
  const parts = [`${frame ? frame.step : 0} updates`];
  if (status.playing && frame && frame.rate) parts.push(`${Math.round(frame.rate)} a second`);
  else if (!status.playing) parts.push('paused');
  if (frame && frame.moved !== 'both') parts.push(`the ${frame.moved} moved`);
  if (status.note) parts.push(status.note);
  return parts.join(', ');
}

function receive(message) {
  const sent = JSON.parse(message.data);
  status = sent.status;
  if (begun !== null && begun !== status.begun) curves.reset([]);
  begun = status.begun;
  if (sent.frame) {
    frame = sent.frame;
    curves.add(frame);
  }
  if (JSON.stringify(words) !== JSON.stringify(status.settings)) settle(status.settings);
  repaint();
}

function connect() {
  const events = new EventSource('/events');
  let lost = false;
  events.addEventListener('message', receive);
  events.addEventListener('error', () => {
    lost = true;
    byId('status').textContent = 'the server does not answer; start it again';
  });
  events.addEventListener('open', () => {
    if (lost) location.reload();
  });
}

// ---- Keys and buttons ---------------------------------------------------------------------------

const KEYS = { s: 'step', d: 'discriminator', g: 'generator', r: 'restart' };
const toggle = () => act(status.playing ? 'pause' : 'play');

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest('input, select, textarea')) return;
  const own = event.target.closest('button, summary');
  if (event.key === ' ' && !(own && own.matches(':focus-visible'))) {
    event.preventDefault();
    if (!event.repeat) toggle();
  } else if (event.key === 'ArrowRight' && !event.defaultPrevented) act('step');
  else if (KEYS[event.key] && !(event.repeat && event.key === 'r')) act(KEYS[event.key]);
}

function buttons() {
  byId('play').addEventListener('click', toggle);
  for (const button of document.querySelectorAll('[data-do]')) {
    button.addEventListener('click', () => act(button.dataset.do));
  }
  const names = { slow: 'slow motion', fast: 'as fast as it can' };
  byId('speed').append(...told.speeds.map((x) => new Option(names[x] || `${x} a second`, x)));
  byId('speed').addEventListener('change', (event) => act(event.target.value));
  byId('draw').addEventListener('click', () => setDrawing(!pen.drawing));
  byId('clear').addEventListener('click', () => {
    pen.stamps = [];
    setDrawing(true);
  });
  byId('defaults').addEventListener('click', () => change({}, told.defaults));
  byId('link').addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      byId('link').textContent = 'Copied';
    } catch {
      byId('link').textContent = 'Copy it from above';
    }
    setTimeout(() => { byId('link').textContent = 'Copy link'; }, 2000);
  });
  for (const id of ['show-net', 'show-arrows']) byId(id).addEventListener('change', repaint);
  document.addEventListener('keydown', key);
  // A button that was clicked does not keep the space bar for itself.
  document.addEventListener('keyup', (event) => {
    const own = event.target.closest?.('button');
    if (event.key === ' ' && own && !own.matches(':focus-visible')) event.preventDefault();
  });
}

async function begin() {
  told = await (await fetch('/hello')).json();
  words = told.settings;
  curves = new Curves(byId('losses'), byId('modes'), HISTORY);
  curves.reset(told.history);
  controls = new Controls(told, change);
  buttons();
  const linked = fromHash();
  if (Object.keys(linked).length) await change({}, linked);
  else settle(words);
  addEventListener('hashchange', () => change({}, fromHash()));
  addEventListener('resize', repaint);
  connect();
}

begin().catch(complain);
