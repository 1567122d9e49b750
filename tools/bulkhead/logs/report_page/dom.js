// Making elements. Texts of a run get into the page here and in the canvases alone, by textContent: never as markup.
const $ = id => document.getElementById(id);

function make(name, parent, text, className) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  if (parent) parent.appendChild(element);
  return element;
}

function button(parent, text, does, className) {
  const made = make('button', parent, text, className);
  made.type = 'button';
  made.addEventListener('click', does);
  return made;
}

function ending(parent, name, words) {
  make('span', parent, undefined, 'swatch ' + name).setAttribute('aria-hidden', 'true');
  make('span', parent, words);
}

// A text to be taken along. Where the browser does not let a page write to the clipboard, it is selected instead.
function copied(parent, text) {
  const box = make('div', parent, undefined, 'copied'), shown = make('pre', box, visible(text, true));
  const press = button(box, 'Copy', async () => {
    try {
      await navigator.clipboard.writeText(text);
      press.textContent = 'Copied';
    } catch (refused) {
      getSelection().selectAllChildren(shown);
      press.textContent = 'Selected';
    }
    setTimeout(() => { press.textContent = 'Copy'; }, 1500);
  });
}

function block(parent, title, text) {
  make('h3', parent, title);
  make('pre', parent, visible(text, true));
}

// The frames of one's own code come first; those of Bulkhead, which called it, are many and the same in every stack.
function stack(parent, text) {
  const frames = text.split('\n');
  let own = frames.findIndex(frame => frame.startsWith('bulkhead::'));
  if (own < 1 || frames.length < 8) own = frames.length;
  block(parent, 'Stack', frames.slice(0, own).join('\n'));
  if (own === frames.length) return;
  const rest = make('details', parent);
  make('summary', rest, plural(frames.length - own, 'frame', 'frames') + ' below, of what called it', 'dim');
  make('pre', make('div', rest), visible(frames.slice(own).join('\n'), true));
}

const narrow = () => document.body.clientWidth <= 620;
