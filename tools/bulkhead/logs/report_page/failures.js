// What went wrong, by its stack or, without one, by its words.
const groupsAtOnce = 25;

function failureGroups() {
  const groups = new Map();
  for (const rows of [tasks, lost])
    for (let i = 0; i < rows.count; ++i) {
      const name = endingOf(rows, i);
      if (name === 'ok') continue;
      const key = name + '\0' + (stackOf(rows, i) || wordsOf(rows, i));
      if (!groups.has(key)) groups.set(key, {name, members: [], tasks: 0, kinds: new Set()});
      const group = groups.get(key);
      group.members.push({rows, i});
      group.kinds.add(rows.kind[i]);
      if (rows === tasks) ++group.tasks;
    }
  const late = group => group.name === 'left_over' || group.name === 'unfinished' ? 1 : 0;
  return [...groups.values()].sort((a, b) => late(a) - late(b) || b.tasks - a.tasks || b.members.length - a.members.length);
}

function fillGroup(body, group) {
  const {rows, i} = group.members[0];
  if (stackOf(rows, i)) stack(body, stackOf(rows, i));
  make('h3', body, group.tasks === 0 ? 'Attempts' : group.tasks === 1 ? 'Task' : 'Tasks');
  const list = make('div', body, undefined, 'examples');
  for (const member of group.members.filter(({rows}) => rows === tasks || group.tasks === 0).slice(0, 8)) taskLink(list, member.rows, member.i, true);
  if (group.tasks > 8) button(list, 'List all ' + count(group.tasks) + ' tasks below', () => showGroup(group));
  again(body, rows, i, Math.max(group.tasks, 1) > 1);
}

function addGroup(group) {
  const box = make('details', $('groups'), undefined, group.name), line = make('summary', box), {rows, i} = group.members[0];
  ending(line, group.name, endings[group.name] + ' ');
  const tried = group.members.length - group.tasks;
  make('b', line, (group.tasks > 1 ? count(group.tasks) + ' × ' : '') + shortened(wordsOf(rows, i), 200));
  const more = [];
  if (tried) more.push(plural(tried, 'attempt', 'attempts') + ' tried again');
  if (group.tasks === 1 || group.members.length === 1) more.push('#' + rows.seq[i] + ' ' + shortened(rows.record[i], 80));
  make('span', line, more.length ? '  ' + more.join(', ') : '', 'dim');
  const body = make('div', box);
  box.addEventListener('toggle', () => { if (box.open && !body.firstChild) fillGroup(body, group); });
  return box;
}

function failures() {
  const groups = failureGroups();
  if (!groups.length) return;
  $('failures').hidden = false;
  $('failures-about').textContent = plural(groups.length, 'group', 'groups') + ': crashes with the same stack are one, other endings with the same words are one.';
  let shown = 0;
  const more = () => {
    for (const group of groups.slice(shown, shown + groupsAtOnce)) addGroup(group);
    shown = Math.min(groups.length, shown + groupsAtOnce);
    $('more-groups').hidden = shown === groups.length;
    $('more-groups').textContent = 'Show more (' + count(groups.length - shown) + ' left)';
  };
  $('more-groups').addEventListener('click', more);
  more();
  $('groups').firstChild.open = true;
}
