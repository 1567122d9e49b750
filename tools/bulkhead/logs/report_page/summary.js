// The top of the page: how it went, in one sentence, in counts, in figures.
const tally = Object.fromEntries(Object.keys(endings).map(name => [name, 0]));
for (let i = 0; i < tasks.count; ++i) ++tally[endingOf(tasks, i)];

function verdict() {
  if (tasks.count === 0) return run.finished ? 'No task was run' : 'Nothing had finished when the file ended';
  const bad = tally.failed + tally.crashed + tally.timed_out + tally.out_of_memory, open = tally.left_over + tally.unfinished;
  if (bad + open === 0) return (tasks.count === 1 ? 'The task' : 'All ' + count(tasks.count) + ' tasks') + ' succeeded' +
    (run.finished ? '' : ' that had ended when the file did');
  const parts = Object.keys(endings).filter(name => name !== 'ok' && tally[name]).map(name => count(tally[name]) + ' ' + endings[name]);
  return count(bad + open) + ' of ' + plural(tasks.count, 'task', 'tasks') + ' did not succeed: ' + parts.join(', ');
}

function quantile(sorted, part) {
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] : 0;
}
const runTimes = Float64Array.from(bars.filter(bar => bar.rows === tasks && endingOf(tasks, bar.i) === 'ok'), bar => tasks.ran[bar.i]).sort();

function figures() {
  const figure = (name, value, more) => {
    const box = make('div', $('figures'));
    make('dt', box, name);
    const shown = make('dd', box, value);
    if (more) make('small', shown, more);
  };
  const wall = run.wall * 1000, busy = bars.reduce((sum, bar) => sum + bar.to - bar.from, 0);
  figure('Wall time', duration(wall));
  if (wall > 0 && tasks.count) figure('Throughput', three((tasks.count - tally.left_over - tally.unfinished) / wall * 1000) + ' tasks/s');
  if (runTimes.length) {
    figure('Median run time', duration(quantile(runTimes, .5)), 'of those that succeeded');
    figure('95 % ran at most', duration(quantile(runTimes, .95)), 'longest ' + duration(runTimes[runTimes.length - 1]));
  }
  if (wall > 0 && run.jobs && bars.length) figure('Slots busy', percent(Math.min(1, busy / wall / run.jobs)), plural(run.jobs, 'slot', 'slots'));
  const most = tasks.memory.reduce((a, b) => Math.max(a, b), 0);
  if (most) figure('Most memory', size(most), 'of one task');
  if (lost.count) figure('Attempts retried', count(lost.count));
  if (run.workers_died) figure('Workers died', count(run.workers_died));
  if (run.leaked) figure('Left processes running', plural(run.leaked, 'task', 'tasks'), 'they were ended');
}

function summary() {
  $('verdict').textContent = verdict();
  $('command').textContent = visible(run.command || '(a shell command a record)');
  document.title = verdict() + ' – Bulkhead';
  const about = [new Date(run.time * 1000).toLocaleString(), plural(run.jobs, 'slot', 'slots'), run.tool, 'run ' + run.run_id];
  if (run.finished) about.push('exit status ' + run.exit_status + (exitMeaning(run.exit_status) && ' (' + exitMeaning(run.exit_status) + ')'));
  $('about').textContent = visible(about.filter(part => part).join(' · '));
  const note = text => make('li', $('notes'), text);
  if (!run.finished) note('The file ends before the run does: this is what had happened ' + duration(run.wall * 1000) + ' after its begin.');
  if (run.torn) note('The last line of the file was not whole and has been left out.');
  if (run.of > 1) note('The file holds ' + run.of + ' runs; this is number ' + run.number + '. The option --run shows another.');
  for (const name of Object.keys(endings)) {
    if (!tally[name] && name !== 'ok') continue;
    const press = button(make('li', $('endings')), undefined, () => showEnding(name), name);
    make('b', press, count(tally[name]));
    make('span', press, endings[name]);
    press.title = 'List these';
  }
  figures();
}
