// All tasks: searched, sorted, a page of them at a time.
const pageLength = 100;
const table = {found: [], page: 0, column: 'seq', down: false, group: null};
const tableColumns = [
  ['#', 'seq', i => '#' + tasks.seq[i], 'number'], ['Record', 'record', i => shortened(tasks.record[i], 300), 'record'],
  ['Ending', 'kind', i => shortened(wordsOf(tasks, i), 120), ''], ['Run time', 'ran', i => tasks.ran[i] > 0 ? duration(tasks.ran[i]) : '–', 'number'],
  ['Start', 'started', i => tasks.started[i] < 0 ? '–' : duration(tasks.started[i]), 'number spare'],
  ['Output', 'bytes', i => tasks.bytes[i] < 0 ? '–' : size(tasks.bytes[i]), 'number spare'],
  ['Memory', 'memory', i => tasks.memory[i] > 0 ? size(tasks.memory[i]) : '–', 'number spare'],
  ['Slot', 'slot', i => tasks.slot[i] > 0 ? count(tasks.slot[i]) : '–', 'number spare'], ['Attempt', 'attempt', i => count(tasks.attempt[i]), 'number spare'],
];
let lowerRecords = null;

// A word is looked for in the record of each task, and once in each text that many tasks share.
function matcher(word) {
  const number = /^#\d+$/.test(word) ? Number(word.slice(1)) : -1;
  if (number >= 0) return i => tasks.seq[i] === number || lowerRecords[i].includes(word);
  const has = text => text.toLowerCase().includes(word);
  const kinds = run.kinds.map(([name, words, stack]) => has(endings[name] || name) || has(words) || has(stack));
  const tails = run.tails.map(has), commands = run.commands.map(has);
  return i => lowerRecords[i].includes(word) || kinds[tasks.kind[i]] || tails[tasks.tail[i]] || commands[tasks.command[i]];
}

function search() {
  if ($('search').value) lowerRecords = lowerRecords || tasks.record.map(record => record.toLowerCase());
  const only = $('only').value, tests = $('search').value.toLowerCase().split(/\s+/).filter(word => word).map(matcher);
  if (table.group) tests.push(i => table.group.kinds.has(tasks.kind[i]));
  else if (only) tests.push(i => (endingOf(tasks, i) === 'ok') === (only === 'ok') && (only === 'bad' || endingOf(tasks, i) === only));
  table.found = [];
  for (let i = 0; i < tasks.count; ++i) if (tests.every(test => test(i))) table.found.push(i);
  arrange();
}

function arrange() {
  const {column, down} = table, values = column === 'kind' ? {get: i => wordsOf(tasks, i)} : {get: i => tasks[column][i]};
  table.found.sort((a, b) => {
    const x = values.get(a), y = values.get(b);
    return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1) || a - b;
  });
  for (const head of $('tasks').tHead.rows[0].cells) {
    const here = head.dataset.column === column;
    head.setAttribute('aria-sort', here ? (down ? 'descending' : 'ascending') : 'none');
    head.firstChild.textContent = head.dataset.name + (here ? (down ? ' ▼' : ' ▲') : '');
  }
  turn(0);
}

function turn(page) {
  const pages = Math.max(1, Math.ceil(table.found.length / pageLength)), body = $('tasks').tBodies[0];
  table.page = Math.max(0, Math.min(pages - 1, page));
  body.textContent = '';
  for (const i of table.found.slice(table.page * pageLength, (table.page + 1) * pageLength)) {
    const row = make('tr', body);
    for (const [, column, text, style] of tableColumns) {
      const cell = make('td', row, undefined, style);
      if (column === 'seq') button(cell, text(i), () => details(tasks, i), 'link');
      else if (column === 'kind') ending(make('span', cell, undefined, 'clip'), endingOf(tasks, i), text(i));
      else make('span', cell, text(i), column === 'record' ? 'clip' : '');
    }
  }
  if (!table.found.length) make('td', make('tr', body), 'No task matches.', 'dim').colSpan = tableColumns.length;
  $('found').textContent = table.found.length === tasks.count ? plural(tasks.count, 'task', 'tasks') : count(table.found.length) + ' of ' + plural(tasks.count, 'task', 'tasks');
  $('which').textContent = 'Page ' + count(table.page + 1) + ' of ' + count(pages);
  $('first').disabled = $('previous').disabled = table.page === 0;
  $('next').disabled = $('last').disabled = table.page === pages - 1;
  $('pages').hidden = pages === 1;
}
