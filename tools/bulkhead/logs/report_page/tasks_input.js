// The table's head, search and pages; and the ways that lead to it from the rest of the page.
function only(name) {
  table.group = null;
  $('only').querySelector('[value=group]').hidden = true;
  $('only').value = name;
}
function toTable() {
  $('search').value = '';
  search();
  $('all').scrollIntoView();
  $('search').focus({preventScroll: true});
}
function showEnding(name) {
  only(name);
  toTable();
}
function showGroup(group) {
  const choice = $('only').querySelector('[value=group]');
  choice.textContent = shortened(wordsOf(group.members[0].rows, group.members[0].i), 60);
  choice.hidden = false;
  $('only').value = 'group';
  table.group = group;
  toTable();
}

function choices() {
  const choice = (value, text) => { make('option', $('only'), text).value = value; };
  choice('', 'all endings');
  if (tally.ok < tasks.count) choice('bad', 'all but ok (' + count(tasks.count - tally.ok) + ')');
  for (const name of Object.keys(endings)) if (tally[name] || name === 'ok') choice(name, endings[name] + ' (' + count(tally[name]) + ')');
  choice('group', '');
  $('only').lastChild.hidden = true;
}

function tableInput() {
  const head = make('tr', $('tasks').tHead);
  for (const [name, column, , style] of tableColumns) {
    const cell = make('th', head, undefined, style);
    cell.dataset.column = column;
    cell.dataset.name = name;
    cell.scope = 'col';
    button(cell, name, () => {
      // Of amounts one looks for the largest first.
      table.down = table.column === column ? !table.down : ['ran', 'bytes', 'memory', 'attempt'].includes(column);
      table.column = column;
      arrange();
    });
  }
  choices();
  let waiting = 0;
  $('search').addEventListener('input', () => { clearTimeout(waiting); waiting = setTimeout(search, 120); });
  $('only').addEventListener('change', () => { if ($('only').value !== 'group') only($('only').value); search(); });
  $('filter').addEventListener('submit', event => {
    event.preventDefault();
    clearTimeout(waiting);
    search();
    const first = $('tasks').tBodies[0].querySelector('button');
    if (first) first.focus();
  });
  $('first').addEventListener('click', () => turn(0));
  $('previous').addEventListener('click', () => turn(table.page - 1));
  $('next').addEventListener('click', () => turn(table.page + 1));
  $('last').addEventListener('click', () => turn(Infinity));
  document.addEventListener('keydown', event => {
    const typing = ['INPUT', 'SELECT', 'TEXTAREA'].includes(event.target.tagName) || $('details').open;
    if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    $('all').scrollIntoView();
    $('search').focus({preventScroll: true});
    $('search').select();
  });
}
