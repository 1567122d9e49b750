// What the canvases share: sharp pixels, colours of the page's style, axes with round numbers.
function canvas(id, height) {
  const element = $(id), scale = window.devicePixelRatio || 1, width = element.parentElement.clientWidth;
  element.style.height = height + 'px';
  element.width = Math.round(width * scale);
  element.height = Math.round(height * scale);
  const pen = element.getContext('2d');
  pen.scale(scale, scale);
  pen.font = '12px system-ui, "Liberation Sans", sans-serif';
  const style = getComputedStyle(document.documentElement), color = name => style.getPropertyValue('--' + name).trim();
  const plot = {pen, width, height, left: 52, right: width - 14, top: 26, bottom: height - 38, color};
  plot.text = (text, x, y, align, dim = true) => {
    pen.fillStyle = color(dim ? 'dim' : 'text');
    pen.textAlign = align || 'left';
    pen.fillText(text, x, y);
  };
  plot.box = (name, x, y, w, h) => { pen.fillStyle = color(name); pen.fillRect(x, y, w, h); };
  return plot;
}

// 1, 2 or 5 times a power of ten, so that about `wanted` of them fill the range.
function roundStep(range, wanted) {
  const power = Math.pow(10, Math.floor(Math.log10(range / wanted)));
  return power * [1, 2, 5, 10].find(times => power * times * wanted >= range * .999);
}

// Durations have steps of their own above a minute.
function timeStep(ms, wanted) {
  const long = [60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400].map(seconds => seconds * 1000);
  return ms / wanted <= 30000 ? roundStep(ms, wanted) : long.find(step => step * wanted >= ms) || roundStep(ms, wanted);
}

// A point in time, as exact as the step to the next one asks for; all of an axis in the unit of its end.
function moment(ms, step, end) {
  if (ms === 0) return '0';
  if (step >= 60000) return duration(ms);
  const [unit, name] = end >= 1000 ? [1000, ' s'] : end >= 1 ? [1, ' ms'] : [.001, ' µs'];
  return (ms / unit).toFixed(Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9))) + name;
}

function timeAxis(plot, from, to) {
  const step = timeStep(to - from, Math.max(2, Math.floor((plot.right - plot.left) / 110)));
  for (let at = Math.ceil(from / step) * step; at <= to + step * 1e-6; at += step) {
    const x = plot.left + (at - from) / (to - from) * (plot.right - plot.left);
    plot.box('line', x, plot.bottom, 1, 5);
    plot.text(moment(at, step, to), Math.min(x, plot.width - 22), plot.bottom + 18, 'center');
  }
  plot.text('time since the start', (plot.left + plot.right) / 2, plot.height - 4, 'center');
}

// Lines with their values, and where a value lies.
function valueAxis(plot, most, unit) {
  const step = Math.max(roundStep(Math.max(most, 1e-9), 4), unit === 'attempts' ? 1 : 0), top = Math.ceil(most / step - 1e-9) * step || step;
  const y = value => plot.bottom - value / top * (plot.bottom - plot.top);
  for (let value = 0; value <= top * 1.0001; value += step) {
    plot.box(value ? 'grid' : 'line', plot.left, y(value), plot.right - plot.left, 1);
    plot.text(three(value), plot.left - 6, y(value) + 4, 'right');
  }
  plot.text(unit, 0, 11);
  return y;
}

// A column of a chart: how many of each ending.
const totalOf = bin => Object.values(bin).reduce((a, b) => a + b, 0);
