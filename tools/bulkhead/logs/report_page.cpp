// The page of `bulkhead report`. Whatever comes from a run reaches it as JSON and is shown by textContent or drawn on a
// canvas, never as markup; the policy in its head forbids it to load anything.
#include "logs/report.hpp"

namespace bulkhead::tool {

const char* const report_page_head = R"html(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bulkhead run</title>
<style>
:root { color-scheme: light dark; --back: #fff; --text: #1b1f24; --dim: #667; --line: #d5d9df; --card: #f5f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --back: #14171b; --text: #e4e7eb; --dim: #98a1ac; --line: #333a43; --card: #1d2228; }
}
body { margin: 0 auto; max-width: 1200px; padding: 1rem; font: 14px/1.45 system-ui, sans-serif;
  background: var(--back); color: var(--text); }
h1 { font-size: 1.3rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
.dim { color: var(--dim); } .columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); gap: 0 2rem; }
#counts { display: flex; flex-wrap: wrap; gap: .6rem; margin-top: 1rem; }
#counts div { background: var(--card); border-radius: 6px; padding: .5rem .9rem; }
#counts b { display: block; font-size: 1.3rem; }
canvas { width: 100%; display: block; } .scroll { overflow: auto; max-height: 60vh; border: 1px solid var(--line); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 2px 8px; vertical-align: top; border-bottom: 1px solid var(--line); }
th { position: sticky; top: 0; background: var(--card); } th button { font: inherit; border: 0; background: none; color: inherit; cursor: pointer; padding: 0; }
td.number { text-align: right; white-space: nowrap; } td { overflow-wrap: anywhere; }
pre { margin: .2rem 0; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12px; }
input { font: inherit; padding: .3rem .5rem; width: min(30rem, 100%); box-sizing: border-box; }
</style></head><body>
<h1 id="command"></h1><div class="dim" id="about"></div><div id="counts"></div>
<h2>Slots over time</h2><canvas id="timeline" height="300"></canvas><div class="dim" id="under" role="status"></div>
<div class="columns">
<section><h2>Run times (logarithmic)</h2><canvas id="times" height="180"></canvas></section>
<section><h2>Throughput: tasks finished per second</h2><canvas id="throughput" height="180"></canvas></section>
</div>
<section id="crashes"></section>
<div class="columns"><section><h2>Slowest</h2><table id="slowest"></table></section>
<section><h2>Largest output</h2><table id="largest"></table></section></div>
<h2>Tasks</h2><p><input id="search" type="search" placeholder="record, words or #number" aria-label="Search the tasks"> <span class="dim" id="found"></span></p>
<div class="scroll" id="scroll"><table id="tasks"></table></div>
<noscript>The charts and tables of this page are drawn by its script.</noscript>
<script type="application/json" id="data">)html";

const char* const report_page_tail = R"html(</script>
<script>
'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const SEQ = 0, ATTEMPT = 1, SLOT = 2, START = 3, RAN = 4, END = 5, WORDS = 6, STACK = 7, TAIL = 8, BYTES = 9, RSS = 10, RECORD = 11;
const hues = {ok: '#3a9d5d', failed: '#d9822b', crashed: '#d13c3c', timed_out: '#8f5bd1', out_of_memory: '#b83280', left_over: '#8a929c'};
const $ = id => document.getElementById(id);
const tasks = data.tasks, ran = tasks.concat(data.lost).filter(t => t[START] >= 0);
const ending = t => data.endings[t[END]];
function make(name, text, parent) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (parent) parent.appendChild(e);
  return e;
}
function time(ms) {
  if (ms < 1) return (ms * 1000).toFixed(0) + ' µs';
  if (ms < 1000) return ms.toFixed(ms < 10 ? 1 : 0) + ' ms';
  if (ms < 60000) return (ms / 1000).toFixed(2) + ' s';
  const s = Math.round(ms / 1000), m = Math.floor(s / 60);
  return m < 60 ? m + 'm' + (s % 60) + 's' : Math.floor(m / 60) + 'h' + (m % 60) + 'm';
}
function size(bytes) {
  if (bytes < 0) return '–';
  let unit = 0;
  while (bytes >= 1024 && unit < 4) { bytes /= 1024; ++unit; }
  return (unit ? bytes.toFixed(1) : bytes) + ' ' + ['B', 'KiB', 'MiB', 'GiB', 'TiB'][unit];
}
const span = ran.reduce((end, t) => Math.max(end, t[START] + t[RAN]), 1);

function summary() {
  $('command').textContent = data.run.command || 'bulkhead';
  document.title = 'Bulkhead: ' + (data.run.command || 'run');
  const wall = data.end ? data.end.wall * 1000 : span;
  $('about').textContent = data.run.tool + ', run ' + data.run.run_id + ', ' + new Date(data.run.time * 1000).toLocaleString() +
    ', ' + data.run.jobs + ' slots' + (data.end ? ', exit status ' + data.end.exit_status : '; the run did not come to its end');
  const counts = {ok: 0, failed: 0, crashed: 0, timed_out: 0, out_of_memory: 0, left_over: 0};
  for (const t of tasks) ++counts[ending(t)];
  if (data.end) for (const k in counts) counts[k] = data.end[k];
  const card = (value, name, color) => {
    const box = make('div', undefined, $('counts')), b = make('b', value, box);
    if (color) b.style.color = color;
    make('span', name, box);
  };
  for (const k in counts) if (counts[k] || k === 'ok') card(counts[k], k.replace(/_/g, ' '), hues[k]);
  if (data.lost.length) card(data.lost.length, 'attempts retried');
  if (data.workers_died) card(data.workers_died, 'workers died');
  card(time(wall), 'wall time');
  card((tasks.length / wall * 1000).toFixed(1), 'tasks per second');
}

function canvas(id, height) {
  const c = $(id), scale = window.devicePixelRatio || 1;
  c.style.height = height + 'px';
  c.width = c.clientWidth * scale; c.height = height * scale;
  const g = c.getContext('2d');
  g.scale(scale, scale);
  g.font = '11px system-ui, sans-serif';
  const style = getComputedStyle(document.body);
  return {g, w: c.clientWidth, h: height, text: style.getPropertyValue('--dim'), line: style.getPropertyValue('--line')};
}
let slots = [], row = 12, left = 40;
function timeline() {
  slots = [...new Set(ran.map(t => t[SLOT]))].sort((a, b) => a - b);
  row = Math.max(3, Math.min(20, 560 / Math.max(1, slots.length)));
  const p = canvas('timeline', Math.max(40, slots.length * row) + 18), place = new Map(slots.map((s, i) => [s, i]));
  const x = ms => left + ms / span * (p.w - left - 4);
  p.g.fillStyle = p.text;
  if (row >= 9) slots.forEach((s, i) => p.g.fillText(s, 4, i * row + row - 2));
  for (let i = 0; i <= 5; ++i) p.g.fillText(time(span * i / 5), Math.min(x(span * i / 5), p.w - 44), p.h - 4);
  // What went well first: a failure must not vanish beneath a neighbour that shares its pixel.
  for (const bad of [false, true])
    for (const t of ran) {
      if ((ending(t) !== 'ok') !== bad) continue;
      p.g.fillStyle = hues[ending(t)] || '#888';
      const from = x(t[START]), width = x(t[START] + t[RAN]) - from;
      p.g.fillRect(from, place.get(t[SLOT]) * row, Math.max(width - (width > 3 ? .5 : 0), .7), row - (row > 5 ? 1 : 0));
    }
}
$('timeline').addEventListener('mousemove', event => {
  const c = $('timeline'), at = (event.offsetX - left) / (c.clientWidth - left - 4) * span;
  const slot = slots[Math.floor(event.offsetY / row)], slack = span / c.clientWidth;
  const t = ran.find(t => t[SLOT] === slot && t[START] - slack <= at && at <= t[START] + t[RAN] + slack);
  $('under').textContent = t ? '#' + t[SEQ] + ' ' + t[RECORD].slice(0, 120) + ' · ' + data.words[t[WORDS]] + ' · ' + time(t[RAN]) : '';
});

function bars(id, values, labels) {
  const p = canvas(id, 180), top = values.reduce((a, b) => Math.max(a, b), 0) || 1, w = (p.w - left) / values.length;
  p.g.fillStyle = p.text;
  p.g.fillText(top >= 10 ? Math.round(top) : top.toFixed(1), 2, 12); p.g.fillText('0', 2, p.h - 20);
  for (const [at, text] of labels) p.g.fillText(text, Math.min(left + at * (p.w - left), p.w - 44), p.h - 4);
  p.g.fillStyle = '#4a7fd0';
  values.forEach((v, i) => { const h = v ? Math.max(1, v / top * (p.h - 24)) : 0; p.g.fillRect(left + i * w, p.h - 18 - h, Math.max(w - 1, .7), h); });
  p.g.fillStyle = p.line; p.g.fillRect(left, p.h - 18, p.w - left, 1);
}
function histogram() {
  const logs = ran.map(t => Math.log10(Math.max(t[RAN], .001)));
  let low = logs.reduce((a, b) => Math.min(a, b), 9), high = logs.reduce((a, b) => Math.max(a, b), -3);
  if (!logs.length) { low = 0; high = 1; }
  if (high - low < .5) { low -= .25; high += .25; }
  const bins = new Array(40).fill(0), labels = [];
  for (const v of logs) ++bins[Math.min(39, Math.floor((v - low) / (high - low) * 40))];
  for (let i = 0; i < 5; ++i) labels.push([i / 4, time(Math.pow(10, low + (high - low) * i / 4))]);
  bars('times', bins, labels);
}
function throughput() {
  const bins = new Array(60).fill(0), labels = [];
  for (const t of tasks) if (t[START] >= 0) ++bins[Math.min(59, Math.floor((t[START] + t[RAN]) / span * 60))];
  for (let i = 0; i < 5; ++i) labels.push([i / 4, time(span * i / 4)]);
  bars('throughput', bins.map(n => n / (span / 60000)), labels);
}

function crashes() {
  const groups = new Map();
  for (const t of tasks) {
    if (ending(t) !== 'crashed' && ending(t) !== 'out_of_memory') continue;
    const key = t[WORDS] + ' ' + t[STACK], group = groups.get(key);
    if (group) ++group.count; else groups.set(key, {count: 1, example: t});
  }
  if (!groups.size) return;
  make('h2', 'Crashes', $('crashes'));
  const table = make('table', undefined, $('crashes'));
  for (const {count, example} of [...groups.values()].sort((a, b) => b.count - a.count).slice(0, 100)) {
    const line = make('tr', undefined, table);
    make('td', count + ' ×', line).className = 'number';
    const cell = make('td', undefined, line);
    make('b', data.words[example[WORDS]], cell);
    if (data.stacks[example[STACK]]) make('pre', data.stacks[example[STACK]], cell);
    make('div', 'for example #' + example[SEQ] + ' ' + example[RECORD], cell).className = 'dim';
    if (data.tails[example[TAIL]]) make('pre', data.tails[example[TAIL]], cell);
  }
}
function leaders(id, field, show) {
  for (const t of tasks.filter(t => t[field] > 0).sort((a, b) => b[field] - a[field]).slice(0, 10)) {
    const line = make('tr', undefined, $(id));
    make('td', show(t[field]), line).className = 'number';
    make('td', '#' + t[SEQ] + ' ' + t[RECORD].slice(0, 200), line);
  }
}

// Rows are made for what can be seen, and empty room stands for the rest.
const columns = [['#', SEQ, t => t[SEQ]], ['record', RECORD, t => t[RECORD].slice(0, 200)], ['ending', WORDS, t => data.words[t[WORDS]]],
  ['attempt', ATTEMPT, t => t[ATTEMPT]], ['slot', SLOT, t => t[SLOT]], ['start', START, t => t[START] < 0 ? '–' : time(t[START])], ['ran', RAN, t => time(t[RAN])],
  ['output', BYTES, t => size(t[BYTES])], ['memory', RSS, t => t[RSS] ? size(t[RSS]) : '–']];
const page = 150, height = 24;
let shown = tasks.slice(), order = SEQ, up = true, first = -1;
const head = make('thead', undefined, $('tasks')), body = make('tbody', undefined, $('tasks'));
const names = make('tr', undefined, head);
for (const [name, field] of columns)
  make('button', name, make('th', undefined, names)).addEventListener('click', () => { up = order === field ? !up : true; order = field; arrange(); });
function room(pixels) {
  const cell = make('td', undefined, make('tr', undefined, body));
  cell.colSpan = columns.length; cell.style.cssText = 'padding:0;border:0;height:' + pixels + 'px';
}
function draw(force) {
  const wanted = Math.max(0, Math.min(Math.floor($('scroll').scrollTop / height) - 50, shown.length - page));
  if (!force && Math.abs(wanted - first) < 40 && wanted !== 0) return;
  if (!force && wanted === first) return;
  first = wanted;
  body.textContent = '';
  room(first * height);
  for (const t of shown.slice(first, first + page)) {
    const line = make('tr', undefined, body);
    line.style.height = height + 'px';
    for (const [, field, show] of columns) {
      const cell = make('td', show(t), line);
      cell.style.whiteSpace = 'nowrap'; cell.style.overflow = 'hidden'; cell.style.maxWidth = '24rem'; cell.style.textOverflow = 'ellipsis';
      if (field === WORDS) cell.style.color = hues[ending(t)];
      else if (field !== RECORD) cell.className = 'number';
    }
    line.title = t[RECORD].slice(0, 500) + (data.tails[t[TAIL]] ? '\n' + data.tails[t[TAIL]] : '');
  }
  room(Math.max(0, shown.length - first - page) * height);
}
function arrange() {
  const wanted = $('search').value.toLowerCase();
  const found = t => ('#' + t[SEQ] + ' ' + t[RECORD] + ' ' + data.words[t[WORDS]]).toLowerCase().includes(wanted);
  shown = wanted ? tasks.filter(found) : tasks.slice();
  const value = order === WORDS ? t => data.words[t[WORDS]] : t => t[order];
  shown.sort((a, b) => { const x = value(a), y = value(b); return (x < y ? -1 : x > y ? 1 : a[SEQ] - b[SEQ]) * (up ? 1 : -1); });
  $('found').textContent = shown.length + ' of ' + tasks.length;
  $('scroll').scrollTop = 0;
  draw(true);
}
let typing = 0;
$('search').addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(arrange, 120); });
$('scroll').addEventListener('scroll', () => draw(false));

function charts() { timeline(); histogram(); throughput(); }
summary(); charts(); crashes();
leaders('slowest', RAN, time); leaders('largest', BYTES, size);
arrange();
window.addEventListener('resize', charts);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', charts);
</script></body></html>
)html";

}  // namespace bulkhead::tool
