// The settings: built from what the server says there is, and kept in the page's link.

export function fromHash() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

export function toHash(words) {
  const named = Object.entries(words).filter(([key, text]) => text !== '' || key !== 'drawn');
  history.replaceState(null, '', `#${new URLSearchParams(named)}`);
}

export class Controls {
  // `change` is given {key: text} of what was changed.
  constructor(told, change) {
    this.fields = {};
    this.change = change;
    this.groups(told.controls);
    this.sets(told.sets);
  }

  groups(controls) {
    const place = document.getElementById('controls');
    const narrow = matchMedia('(max-width: 820px)').matches;
    for (const name of new Set(controls.map((x) => x.group))) {
      const details = document.createElement('details');
      details.open = !narrow && ['Game', 'Generator', 'Discriminator', 'Seeds'].includes(name);
      const summary = document.createElement('summary');
      summary.textContent = name;
      details.append(summary, ...controls.filter((x) => x.group === name).map((x) => this.row(x)));
      place.append(details);
    }
  }

  row(control) {
    const label = document.createElement('label');
    label.className = control.key === 'objective' ? 'control wide' : 'control';
    const words = document.createElement('span');
    words.textContent = control.label;
    if (!control.at_once) {
      const mark = document.createElement('span');
      mark.className = 'mark';
      mark.textContent = ' \u21bb';
      mark.title = 'needs a new program';
      words.append(mark);
    }
    const field = control.options.length ? this.select(control) : this.number(control);
    field.dataset.key = control.key;
    field.addEventListener('change', () => this.change({ [control.key]: field.value }));
    this.fields[control.key] = field;
    label.append(words, field);
    return label;
  }

  select(control) {
    const select = document.createElement('select');
    for (const option of control.options) {
      const shown = { '': 'no', False: 'no', True: 'yes' }[option] || option.replaceAll('_', ' ');
      select.append(new Option(shown, option));
    }
    return select;
  }

  number(control) {
    const input = document.createElement('input');
    input.type = 'number';
    Object.assign(input, { min: control.low, max: control.high, step: control.whole ? 1 : 'any' });
    input.inputMode = control.whole ? 'numeric' : 'decimal';
    return input;
  }

  sets(names) {
    const place = document.getElementById('sets');
    for (const name of names.filter((x) => x !== 'drawn')) {
      const button = document.createElement('button');
      button.textContent = name.replaceAll('_', ' ');
      button.dataset.set = name;
      button.addEventListener('click', () => this.change({ set: name }));
      place.append(button);
    }
  }

  show(words) {
    for (const [key, field] of Object.entries(this.fields)) {
      if (document.activeElement !== field || field.tagName === 'SELECT') field.value = words[key];
    }
    for (const button of document.querySelectorAll('#sets button')) {
      button.setAttribute('aria-pressed', button.dataset.set === words.set);
    }
  }
}
