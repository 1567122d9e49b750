// Amounts and texts as people read them.
const grouped = new Intl.NumberFormat('en', {maximumFractionDigits: 0});
const count = number => grouped.format(number).replace(/,/g, '\u202f');
const plural = (number, one, many) => count(number) + ' ' + (number === 1 ? one : many);

// Three figures are as many as an eye takes in.
function three(value) {
  if (value >= 1000) return count(value);
  return String(Number(value.toPrecision(3)));
}

function duration(ms) {
  if (ms <= 0) return '0 s';
  if (ms < .9995) return three(ms * 1000) + ' µs';
  if (ms < 999.5) return three(ms) + ' ms';
  if (ms < 59950) return three(ms / 1000) + ' s';
  const seconds = Math.round(ms / 1000), minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
  if (hours === 0) return minutes + ' min ' + String(seconds % 60).padStart(2, '0') + ' s';
  return hours + ' h ' + String(minutes % 60).padStart(2, '0') + ' min';
}

function size(bytes) {
  let unit = 0;
  while (bytes >= 1023.5 && unit < 4) { bytes /= 1024; ++unit; }
  return three(bytes) + ' ' + ['B', 'KiB', 'MiB', 'GiB', 'TiB'][unit];
}

function percent(part) {
  return part > 0 && part < .001 ? '< 0.1 %' : part < 1 && part > .999 ? '> 99.9 %' : Number((part * 100).toPrecision(3)) + ' %';
}

// Records and outputs may hold what a reader's eye would be led astray by: controls are shown as C would escape them,
// marks that turn the direction of writing by their numbers. Lines are kept where `lines` says so.
function visible(text, lines) {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, mark => {
    const code = mark.charCodeAt(0);
    if (lines && (mark === '\n' || mark === '\t')) return mark;
    if (mark === '\n') return '\\n';
    if (mark === '\t') return '\\t';
    return code < 128 ? '\\x' + code.toString(16).padStart(2, '0') : '<U+' + code.toString(16).toUpperCase().padStart(4, '0') + '>';
  });
}

function shortened(text, length) {
  const shown = visible(text);
  return shown.length <= length ? shown : [...shown.slice(0, length)].slice(0, -1).join('') + '…';
}

// As a shell takes it back.
const quoted = text => /^[\w@%+=:,./-]+$/.test(text) ? text : "'" + text.replace(/'/g, "'\\''") + "'";

function exitMeaning(status) {
  const meanings = {0: 'all tasks succeeded', 1: 'some tasks did not succeed', 2: 'usage', 3: 'stopped by a halt rule or the crash limit',
    5: 'a log or output could not be written', 70: 'internal error', 124: 'stopped at the deadline', 141: 'the reader of its output has gone'};
  if (meanings[status]) return meanings[status];
  return status > 128 ? 'ended by signal ' + (status - 128) : '';
}
