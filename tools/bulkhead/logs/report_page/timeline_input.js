// Pointer and keys in the time line.
function tip(x, y) {
  const bar = barAt(x, y), box = $('tip');
  box.hidden = !bar;
  if (!bar) return;
  const {rows, i} = bar;
  box.textContent = '#' + rows.seq[i] + ' ' + shortened(rows.record[i], 140) + '\n' + shortened(wordsOf(rows, i), 140) + ', ran ' +
    duration(rows.ran[i]) + ' from ' + duration(rows.started[i]) + ' on' + (rows === lost ? '; attempt ' + rows.attempt[i] + ', tried again' : '');
  box.style.left = Math.max(0, Math.min(x + 14, view.plot.width - box.offsetWidth - 4)) + 'px';
  box.style.top = y + 18 + 'px';
}

function timelineInput() {
  const surface = $('timeline');
  let pressed = null;
  const place = event => Math.max(view.plot.left, Math.min(view.plot.right, event.offsetX));
  const selection = $('selection');
  surface.addEventListener('pointerdown', event => {
    if (event.button !== 0) return;
    pressed = place(event);
    surface.setPointerCapture(event.pointerId);
  });
  surface.addEventListener('pointermove', event => {
    if (pressed === null) return tip(event.offsetX, event.offsetY);
    $('tip').hidden = true;
    selection.hidden = false;
    selection.style.left = Math.min(pressed, place(event)) + 'px';
    selection.style.width = Math.abs(place(event) - pressed) + 'px';
    selection.style.height = view.plot.bottom + 'px';
  });
  surface.addEventListener('pointerup', event => {
    if (pressed === null) return;
    const [from, to] = [pressed, place(event)].sort((a, b) => a - b);
    pressed = null;
    selection.hidden = true;
    if (to - from > 5) return show(timeAt(from), timeAt(to));
    const bar = barAt(event.offsetX, event.offsetY);
    if (bar) details(bar.rows, bar.i);
  });
  surface.addEventListener('pointercancel', () => { pressed = null; selection.hidden = true; });
  surface.addEventListener('pointerleave', () => { $('tip').hidden = true; });
  surface.addEventListener('dblclick', () => show(0, span));
  const keys = {'+': () => zoom(2), '=': () => zoom(2), '-': () => zoom(.5), '0': () => show(0, span), ArrowLeft: () => shift(-.25), ArrowRight: () => shift(.25)};
  surface.addEventListener('keydown', event => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    keys[event.key]();
    event.preventDefault();
  });
  for (const [id, key] of [['zoom-in', '+'], ['zoom-out', '-'], ['whole', '0'], ['earlier', 'ArrowLeft'], ['later', 'ArrowRight']])
    $(id).addEventListener('click', keys[key]);
}

function legend() {
  const seen = new Set(bars.map(bar => endingOf(bar.rows, bar.i)));
  for (const name of Object.keys(endings))
    if (seen.has(name)) ending(make('li', $('legend')), name, (letters[name] ? letters[name] + ' ' : '') + endings[name]);
  if (lost.count) make('li', $('legend'), 'half as high: an attempt that was tried again', 'dim');
}
