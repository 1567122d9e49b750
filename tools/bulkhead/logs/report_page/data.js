// The run as the program packed it (report_data.hpp says how), unpacked: one object of columns for the tasks, one for
// the attempts that were made again. Times are in milliseconds from the run's begin, memory is in bytes.
const run = JSON.parse(document.getElementById('data').textContent);

const digitValues = new Uint8Array(128);
[...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].forEach((digit, value) => {
  digitValues[digit.charCodeAt(0)] = value;
});

function unpack(text, count) {
  const numbers = new Float64Array(count);
  let at = 0, filled = 0, before = 0;
  function next() {
    for (let value = 0, scale = 1;; scale *= 32) {
      const digit = digitValues[text.charCodeAt(at++)];
      value += (digit & 31) * scale;
      if (digit < 32) return value;
    }
  }
  while (filled < count) {
    const value = next(), length = Math.floor(value / 2);
    before += value % 2 ? -length : length;
    numbers[filled++] = before;
    if (length === 0) for (let more = next(); more > 0; --more) numbers[filled++] = before;
  }
  return numbers;
}

function unpackRows(packed) {
  const rows = {count: packed.count};
  for (const name of ['seq', 'attempt', 'slot', 'started', 'ran', 'kind', 'tail', 'command', 'bytes', 'memory', 'shared'])
    rows[name] = unpack(packed[name], packed.count);
  rows.record = [];
  for (let i = 0, before = ''; i < rows.count; ++i) {
    before = before.slice(0, rows.shared[i]) + packed.rests[i];
    rows.record.push(before);
    rows.seq[i] += i + 1;
    rows.started[i] = rows.started[i] < 0 ? -1 : rows.started[i] / 1000;
    rows.ran[i] /= 1000;
    rows.memory[i] *= 1024;
  }
  return rows;
}

const tasks = unpackRows(run.tasks), lost = unpackRows(run.lost);

// What is drawn in the time line: every attempt that began, as its table and its place there.
const bars = [];
for (const rows of [tasks, lost])
  for (let i = 0; i < rows.count; ++i) if (rows.started[i] >= 0) bars.push({rows, i, from: rows.started[i], to: rows.started[i] + rows.ran[i]});
bars.sort((a, b) => a.from - b.from);
const span = bars.reduce((end, bar) => Math.max(end, bar.to), Math.max(run.wall * 1000, .001));

// The order is that of the summary: from well to worst to never begun.
const endings = {
  ok: 'ok', failed: 'failed', crashed: 'crashed', timed_out: 'timed out', out_of_memory: 'out of memory',
  left_over: 'left over', unfinished: 'not finished',
};
const endingOf = (rows, i) => run.kinds[rows.kind[i]][0];
const wordsOf = (rows, i) => run.kinds[rows.kind[i]][1];
const stackOf = (rows, i) => run.kinds[rows.kind[i]][2];
