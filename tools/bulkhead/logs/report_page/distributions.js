// How long attempts ran, and how many tasks finished when: columns of endings, the well ones lowest.
function columnsOf(plot, y, bins, edges) {
  bins.forEach((bin, at) => {
    const left = edges(at), wide = Math.max(edges(at + 1) - left - 1, .75);
    let below = 0;
    for (const name of Object.keys(endings)) {
      if (!bin[name]) continue;
      const base = y(below), top = Math.min(y(below + bin[name]), base - 1);
      plot.box(name === 'ok' ? 'bar' : name, left, top, wide, base - top);
      below += bin[name];
    }
  });
}

function runTimeChart() {
  const plot = canvas('times', 240), known = bars.filter(bar => bar.to > bar.from && endingOf(bar.rows, bar.i) !== 'unfinished');
  if (!known.length) return plot.text('No run time is known.', plot.left, 40);
  let low = Infinity, high = -Infinity;
  for (const bar of known) {
    const length = Math.log10(bar.to - bar.from);
    low = Math.min(low, length);
    high = Math.max(high, length);
  }
  low = Math.floor(low * 3 - .01) / 3;
  high = Math.max(low + 1, Math.ceil(high * 3 + .01) / 3);
  const bins = Array.from({length: Math.max(16, Math.min(60, Math.floor((plot.right - plot.left) / 10)))}, () => ({}));
  for (const bar of known) {
    const bin = bins[Math.min(bins.length - 1, Math.max(0, Math.floor((Math.log10(bar.to - bar.from) - low) / (high - low) * bins.length)))];
    const name = endingOf(bar.rows, bar.i);
    bin[name] = (bin[name] || 0) + 1;
  }
  const most = Math.max(...bins.map(totalOf)), y = valueAxis(plot, most, 'attempts'), x = log => plot.left + (log - low) / (high - low) * (plot.right - plot.left);
  columnsOf(plot, y, bins, at => x(low + (high - low) * at / bins.length));
  const room = (plot.right - plot.left) / (high - low), times = room > 190 ? [1, 2, 5] : room > 110 ? [1, 3] : [1], every = Math.ceil(62 / room);
  for (let power = Math.floor(low); power <= high; ++power)
    for (const factor of times) {
      const at = power + Math.log10(factor);
      if (at < low || at > high || power % every) continue;
      plot.box('line', x(at), plot.bottom, 1, 5);
      plot.text(duration(factor * Math.pow(10, power)), Math.min(x(at), plot.width - 24), plot.bottom + 18, 'center');
    }
  plot.text('run time of an attempt, logarithmic', (plot.left + plot.right) / 2, plot.height - 4, 'center');
  for (const [part, name] of [[.5, 'median'], [.95, '95 %']]) {
    if (!runTimes.length || quantile(runTimes, part) <= 0) continue;
    const at = x(Math.log10(quantile(runTimes, part)));
    plot.box('text', at, plot.top, 1, plot.bottom - plot.top);
    const before = part < .9 && at > plot.left + 50;
    plot.text(name, at + (before ? -4 : 4), plot.top - (part < .9 && !before ? 15 : 4), before ? 'right' : 'left', false);
  }
  const left = bars.length - known.length;
  $('times-about').textContent = 'Attempts in each column' + (runTimes.length ? '; median and 95 % are of the tasks that succeeded' : '') +
    (left ? '; ' + count(left) + ' whose run time is not known left out' : '') + '.';
  $('times').setAttribute('aria-label', 'Distribution of run times: median ' + duration(quantile(runTimes, .5)) + ', 95 % at most ' + duration(quantile(runTimes, .95)));
}

function throughputChart() {
  const plot = canvas('throughput', 240), step = timeStep(span, Math.max(20, Math.min(80, Math.floor((plot.right - plot.left) / 8))));
  // A short rest at the end is no column of its own: its rate would be chance.
  const bins = Array.from({length: Math.max(1, Math.floor(span / step + .5))}, () => ({}));
  const endOf = at => at === bins.length - 1 ? span : (at + 1) * step;
  for (const bar of bars) {
    const name = endingOf(bar.rows, bar.i), at = Math.min(bins.length - 1, Math.floor(bar.to / step));
    if (bar.rows === tasks && name !== 'left_over' && name !== 'unfinished') bins[at][name] = (bins[at][name] || 0) + 1000 / (endOf(at) - at * step);
  }
  const most = Math.max(...bins.map(totalOf));
  if (most === 0) return plot.text('No task had finished.', plot.left, 40);
  const y = valueAxis(plot, most, 'tasks/s');
  columnsOf(plot, y, bins, at => plot.left + Math.min(1, (at === 0 ? 0 : endOf(at - 1)) / span) * (plot.right - plot.left));
  timeAxis(plot, 0, span);
  $('throughput-about').textContent = 'Tasks finished per second, in columns of ' + duration(step) + '.';
  $('throughput').setAttribute('aria-label', 'Tasks finished per second over time, at most ' + three(most));
}
