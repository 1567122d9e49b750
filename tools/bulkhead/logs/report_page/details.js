// One task: everything that is known of it.
const lostOf = new Map();
for (let i = 0; i < lost.count; ++i) lostOf.set(lost.seq[i], (lostOf.get(lost.seq[i]) || []).concat(i));

function taskLink(parent, rows, i, tail, length = 160) {
  const again = rows === lost ? ' (attempt ' + rows.attempt[i] + ', tried again)' : '';
  const last = tail && run.tails[rows.tail[i]].trimEnd().split('\n').pop();
  const box = make('div', parent);
  button(box, '#' + rows.seq[i] + ' ' + shortened(rows.record[i], length) + again, () => details(rows, i), 'link');
  if (last) make('span', box, '  ' + shortened(last, 160), 'dim');
}

// The last lines it wrote, and how to run it again.
function again(parent, rows, i, example) {
  const of = example ? ' of #' + rows.seq[i] : '';
  if (run.tails[rows.tail[i]]) block(parent, 'Last lines of standard error' + of, run.tails[rows.tail[i]]);
  if (run.commands[rows.command[i]]) {
    make('h3', parent, 'Command' + of);
    copied(parent, run.commands[rows.command[i]]);
  }
  if (endingOf(rows, i) === 'left_over' || endingOf(rows, i) === 'unfinished') return;
  make('h3', parent, 'Run it again, alone');
  copied(parent, 'bulkhead replay ' + (run.joblog ? quoted(run.joblog) : 'JOBLOG') + ' ' + rows.seq[i]);
  if (!run.joblog) make('p', parent, 'JOBLOG is the file that --joblog writes; the events name none.', 'dim');
}

function details(rows, i) {
  const body = $('details-body');
  body.textContent = '';
  $('details-title').textContent = 'Task ' + rows.seq[i] + (rows === lost ? ', attempt ' + rows.attempt[i] : '');
  block(body, 'Record', rows.record[i]);
  const list = make('dl', body);
  const line = (name, text) => { make('dt', list, name); return make('dd', list, text); };
  ending(line('Ending'), endingOf(rows, i), endings[endingOf(rows, i)] + ': ' + visible(wordsOf(rows, i)));
  line('Started', rows.started[i] < 0 ? 'never' : duration(rows.started[i]) + ' after the run began, ' + new Date(run.time * 1000 + rows.started[i]).toLocaleString());
  if (rows.started[i] >= 0) line('Ran', rows.ran[i] > 0 ? duration(rows.ran[i]) : 'not known');
  if (rows.slot[i] > 0) line('Slot', count(rows.slot[i]));
  line('Attempt', count(rows.attempt[i]) + (rows === lost ? ', tried again' : ''));
  if (rows.bytes[i] >= 0) line('Output', size(rows.bytes[i]));
  if (rows.memory[i] > 0) line('Most memory', size(rows.memory[i]));
  const earlier = rows === tasks ? lostOf.get(rows.seq[i]) || [] : [];
  if (earlier.length) {
    make('h3', body, 'Attempts before');
    for (const at of earlier)
      button(make('div', body), 'attempt ' + lost.attempt[at] + ': ' + shortened(wordsOf(lost, at), 200), () => details(lost, at), 'link');
  }
  if (stackOf(rows, i)) stack(body, stackOf(rows, i));
  again(body, rows, i, false);
  if (!$('details').open) $('details').showModal();
  $('details').scrollTop = 0;
}

function detailsInput() {
  $('close').addEventListener('click', () => $('details').close());
  $('details').addEventListener('click', event => { if (event.target === $('details')) $('details').close(); });
}

// Of 100,000 tasks the few that lead, without sorting the others.
function leading(values, wanted) {
  const most = [];
  for (let i = 0; i < values.length; ++i) {
    if (!(values[i] > (most.length < wanted ? 0 : values[most[wanted - 1]]))) continue;
    const place = most.findIndex(other => values[other] < values[i]);
    most.splice(place < 0 ? most.length : place, 0, i);
    most.length = Math.min(most.length, wanted);
  }
  return most;
}

function leaders(id, column, text) {
  const most = leading(tasks[column], 8);
  if (!most.length) return make('td', make('tr', $(id)), tasks.count === 0 || tasks[column].some(value => value === 0 && column === 'bytes') ? 'None.' : 'Not known.', 'dim');
  for (const i of most) {
    const row = make('tr', $(id)), bar = make('div', undefined, undefined, 'share');
    make('td', row, text(tasks[column][i]), 'number');
    make('td', row, undefined, 'shares').appendChild(bar);
    bar.style.width = 100 * tasks[column][i] / tasks[column][most[0]] + '%';
    taskLink(make('td', row), tasks, i, false, 70);
  }
}
