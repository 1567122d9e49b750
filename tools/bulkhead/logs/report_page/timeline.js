// The slots over time. What is narrower than a pixel or two is summed up to how busy the slot was there; what went wrong
// is never lost in it, and is counted once more in a strip above the slots. Letters say what colours say.
const letters = {failed: 'F', crashed: 'C', timed_out: 'T', out_of_memory: 'M', left_over: 'L', unfinished: 'N'};
const strip = 30;
const bySlot = new Map();
for (const bar of bars) {
  const slot = bar.rows.slot[bar.i];
  if (!bySlot.has(slot)) bySlot.set(slot, []);
  bySlot.get(slot).push(bar);
}
const slots = [...bySlot.keys()].sort((a, b) => a - b);
const view = {from: 0, to: span, plot: null, row: 0, top: 0};
const xOf = ms => view.plot.left + (ms - view.from) / (view.to - view.from) * (view.plot.right - view.plot.left);
const timeAt = x => view.from + (x - view.plot.left) / (view.plot.right - view.plot.left) * (view.to - view.from);

function drawSlot(slot, place, marks) {
  const {plot, row} = view, {pen} = plot, y = view.top + place * row, gap = row > 8 ? 2 : row > 4 ? 1 : 0, height = row - gap;
  const width = plot.right - plot.left, busy = new Float32Array(Math.ceil(width) + 1);
  const list = bySlot.get(slot), late = [];
  pen.fillStyle = plot.color('ok');
  for (const bar of list) {
    if (bar.to < view.from || bar.from > view.to) continue;
    const name = endingOf(bar.rows, bar.i), left = Math.max(xOf(bar.from), plot.left), right = Math.min(xOf(bar.to), plot.right);
    if (name !== 'ok') {
      late.push({bar, name, left, right});
      const mark = marks[Math.floor((left - plot.left) / 3)];
      mark[name] = (mark[name] || 0) + 1;
    } else if (right - left >= 2) pen.fillRect(left, y, right - left - (right - left > 4 ? .75 : 0), height);
    else {
      const first = Math.floor(left - plot.left), next = Math.min(right - plot.left, first + 1);
      busy[first] += Math.max(next - (left - plot.left), .02);
      if (right - plot.left > next) busy[first + 1] += right - plot.left - next;
    }
  }
  busy.forEach((part, x) => {
    if (part === 0) return;
    pen.globalAlpha = .2 + .8 * Math.min(1, part);
    pen.fillRect(plot.left + x, y, 1, height);
  });
  pen.globalAlpha = 1;
  for (const {bar, name, left, right} of late) {
    const wide = Math.max(right - left - .75, 1.5), part = height > 5 && bar.rows === lost ? .5 : height > 5 && wide < 2 ? .6 : 1;
    const again = part === .5;
    plot.box(name, left, y + height * (1 - part), wide, height * part);
    if (wide < 14 || height < 12 || again) continue;
    pen.fillStyle = name === 'crashed' || name === 'timed_out' || name === 'out_of_memory' ? plot.color('card') : '#111';
    pen.textAlign = 'left';
    pen.fillText(letters[name] || '', left + 3, y + height / 2 + 4);
  }
}

// How many attempts that did not go well began in each three pixels.
function drawStrip(plot, marks) {
  const most = Math.max(...marks.map(totalOf));
  if (most === 0) return;
  plot.text('not ok', plot.left - 6, strip - 1, 'right');
  marks.forEach((mark, at) => {
    let below = 0;
    for (const name of Object.keys(letters)) {
      if (!mark[name]) continue;
      const height = Math.max(5, mark[name] / most * (strip - 4));
      plot.box(name, Math.min(plot.left + at * 3, plot.right - 2.25), Math.max(0, strip - below - height), 2.25, height);
      below += height;
    }
  });
}

function timeline() {
  const room = Math.max(1, slots.length);
  view.row = Math.max(2, Math.min(26, Math.floor(620 / room)));
  view.top = strip + 8;
  const plot = view.plot = canvas('timeline', view.top + room * view.row + 40);
  const every = [1, 2, 4, 5, 8, 10, 16, 20, 32, 50, 64, 100, 200, 500, 1000].find(n => n * view.row >= 13) || room;
  const marks = Array.from({length: Math.ceil((plot.right - plot.left) / 3) + 1}, () => ({}));
  slots.forEach((slot, place) => {
    if (slot % every === 0 || every === 1) plot.text((narrow() ? '' : 'slot ') + slot, plot.left - 6, view.top + (place + .5) * view.row + 4, 'right');
    plot.box('grid', plot.left, view.top + (place + 1) * view.row - 1, plot.right - plot.left, view.row > 4 ? 1 : 0);
    drawSlot(slot, place, marks);
  });
  drawStrip(plot, marks);
  if (!slots.length) plot.text('No task had begun.', plot.left + 6, view.top + 16);
  plot.box('line', plot.left, plot.bottom, plot.right - plot.left, 1);
  timeAxis(plot, view.from, view.to);
  $('zoom-out').disabled = $('whole').disabled = $('earlier').disabled = $('later').disabled = view.to - view.from >= span * .9999;
}

function show(from, to) {
  const least = Math.min(span, Math.max(span / 1e6, .01)), length = Math.min(span, Math.max(least, to - from));
  view.from = Math.max(0, Math.min(span - length, from));
  view.to = view.from + length;
  $('tip').hidden = true;
  timeline();
}
function zoom(factor) {
  const middle = (view.from + view.to) / 2, half = (view.to - view.from) / factor / 2;
  show(middle - half, middle + half);
}
const shift = part => show(view.from + (view.to - view.from) * part, view.to + (view.to - view.from) * part);

// Attempts in a slot follow each other: the last that began before the pointer's place, or the next where that is near.
function barAt(x, y) {
  const list = bySlot.get(slots[Math.floor((y - view.top) / view.row)]);
  if (!list || x < view.plot.left - 2) return undefined;
  const at = timeAt(x), slack = (view.to - view.from) / (view.plot.right - view.plot.left) * 3;
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].from <= at + slack) low = middle + 1; else high = middle;
  }
  const near = list.slice(Math.max(0, low - 40), low).filter(bar => bar.to + slack >= at);
  return near.find(bar => endingOf(bar.rows, bar.i) !== 'ok') || near[near.length - 1];
}
