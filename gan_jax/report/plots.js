// Line plots: axes, a crosshair that all plots share, seeds as thin lines around their mean.
(() => {
  'use strict';
  const report = (window.ganReport = window.ganReport || {});
  const SVG = 'http://www.w3.org/2000/svg'; // a name, fetched by nobody
  const HEIGHT = 210;
  const MARGIN = { left: 52, right: 12, top: 10, bottom: 24 };
  const DOTS = 40; // curves of at most so many points show each

  // Multiples of 1, 2 or 5 times a power of ten within [low, high], about `count` of them.
  function ticks(low, high, count) {
    if (!(high > low)) return [low];
    const rough = (high - low) / Math.max(1, count);
    const power = 10 ** Math.floor(Math.log10(rough));
    const unit = [1, 2, 5, 10].find((x) => x * power >= rough * (1 - 1e-9)) * power;
    const found = [];
    for (let i = Math.ceil(low / unit - 1e-9); i * unit <= high + unit * 1e-9; i++) {
      found.push(Number((i * unit).toPrecision(12)));
    }
    return found;
  }

  // Powers of ten in [low, high]; of a narrow range also 2 and 5 times them, or else as `ticks`.
  function logTicks(low, high, count) {
    const first = Math.floor(Math.log10(low));
    const last = Math.ceil(Math.log10(high));
    const stride = Math.max(1, Math.ceil((last - first) / count));
    for (const factors of [[1], [1, 2, 5]]) {
      const found = [];
      for (let power = first; power <= last; power++) {
        if (power % stride) continue;
        for (const factor of factors) found.push(Number((factor * 10 ** power).toPrecision(12)));
      }
      const inside = found.filter((x) => x >= low * (1 - 1e-9) && x <= high * (1 + 1e-9));
      if (inside.length >= 3) return inside;
    }
    return ticks(low, high, count);
  }

  // A number to four digits: 0.1234, 1235, 1.2e-5.
  function format(x) {
    if (x === null || x === undefined || !Number.isFinite(x)) return 'not finite';
    if (x !== 0 && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e6)) {
      return x.toExponential(3).replace(/\.?0+e/, 'e').replace('e+', 'e');
    }
    return String(Number(x.toPrecision(4)));
  }

  function formatStep(step) {
    if (step >= 1e6) return Number((step / 1e6).toPrecision(4)) + 'M';
    return step >= 1e4 ? Number((step / 1e3).toPrecision(4)) + 'k' : String(step);
  }

  // The place in ascending `steps` that is nearest to `step`; -1 if there are none.
  function nearest(steps, step) {
    let low = 0;
    let high = steps.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (steps[middle] < step) low = middle + 1;
      else high = middle;
    }
    return low > 0 && step - steps[low - 1] <= steps[low] - step ? low - 1 : high < 0 ? -1 : low;
  }

  function html(name, className, text) {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function svg(parent, name, attributes, text) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  }

  const lines = (series) => [series.points, ...series.seeds.map((seed) => seed.points)];

  // The least and greatest finite value; standard errors count where `errors` is set.
  function extent(all, errors) {
    let [low, high] = [Infinity, -Infinity];
    const see = (value) => {
      if (value === null || !Number.isFinite(value)) return;
      low = Math.min(low, value);
      high = Math.max(high, value);
    };
    for (const series of all) {
      for (const points of lines(series)) points.values.forEach(see);
      if (errors) for (const [, below, above] of band(series)) [below, above].forEach(see);
    }
    return low <= high ? [low, high] : null;
  }

  // [step, mean - error, mean + error] where both are known.
  function band(series) {
    const values = new Map(series.points.steps.map((s, i) => [s, series.points.values[i]]));
    const found = [];
    series.error.steps.forEach((step, i) => {
      const [value, error] = [values.get(step), series.error.values[i]];
      if (Number.isFinite(value) && Number.isFinite(error)) {
        found.push([step, value - error, value + error]);
      }
    });
    return found;
  }

  // What a legend says while nothing is read.
  function idle(series) {
    const count = series.seeds.length;
    return count ? `mean and ${count} seed${count > 1 ? 's' : ''}` : '';
  }

  const plots = [];

  function readAll(step) {
    for (const plot of plots) plot.read(step);
  }

  function makePlot(panel, group) {
    const figure = html('figure', 'plot');
    const head = html('div', 'plot-head');
    const title = html('h3', '', panel.title);
    if (group.toLowerCase() !== panel.title) title.prepend(html('span', 'plot-group', group));
    head.append(title);
    const readout = html('span', 'plot-step');
    const logButton = html('button', 'small', 'log');
    logButton.type = 'button';
    logButton.title = 'Logarithmic scale';
    logButton.setAttribute('aria-pressed', 'false');
    const range = extent(panel.series, false);
    const positive = range !== null && range[0] > 0;
    head.append(readout);
    if (positive) head.append(logButton);
    const canvas = html('div', 'plot-canvas');
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', `${panel.title} over steps; arrow keys read values`);
    const legend = html('ul', 'legend');
    figure.append(head, canvas, legend);

    let log = false;
    let scaleX, unscaleX, cross;
    const hidden = new Set();
    const all = [...new Set(panel.series.flatMap((s) => lines(s).flatMap((p) => p.steps)))];
    all.sort((a, b) => a - b);
    let reading = null;

    const values = panel.series.map((series) => {
      const item = html('li');
      const button = html('button', 'legend-entry');
      button.type = 'button';
      button.title = `${series.name}: hide or show`;
      button.setAttribute('aria-pressed', 'true');
      const swatch = html('span', 'swatch');
      swatch.style.background = `var(--c-${series.colour})`;
      const name = html('span', 'legend-name', series.name);
      const value = html('span', 'legend-value', idle(series));
      button.append(swatch, name, value);
      button.addEventListener('click', () => {
        if (!hidden.delete(series)) hidden.add(series);
        button.setAttribute('aria-pressed', String(!hidden.has(series)));
        draw();
      });
      item.append(button);
      legend.append(item);
      return value;
    });
    const lost = panel.series.filter((series) => series.lost);
    if (lost.length) {
      const text = lost.map((s) => `${s.lost} of ${s.name}`).join(', ');
      figure.append(html('p', 'note lost', `Not finite, hence not drawn: ${text}.`));
    }

    function draw() {
      canvas.replaceChildren();
      const width = Math.max(220, canvas.clientWidth);
      const root = svg(canvas, 'svg', { width, height: HEIGHT, 'aria-hidden': 'true' });
      const shown = panel.series.filter((series) => !hidden.has(series));
      const right = width - MARGIN.right;
      const bottom = HEIGHT - MARGIN.bottom;
      const limits = extent(shown, !log);
      if (!limits || !all.length) {
        svg(root, 'text', { x: width / 2, y: HEIGHT / 2, 'text-anchor': 'middle' }, 'nothing to draw');
        cross = null;
        return;
      }
      let [low, high] = limits;
      if (low === high) {
        const room = log ? 0 : Math.abs(low) * 0.1 || 1;
        [low, high] = log ? [low / 1.5, high * 1.5] : [low - room, high + room];
      }
      const f = log ? Math.log10 : (x) => x;
      const pad = 0.04 * (f(high) - f(low));
      const [least, most] = [f(low) - pad, f(high) + pad];
      const first = all[0];
      const last = all[all.length - 1] > first ? all[all.length - 1] : first + 1;
      const span = right - MARGIN.left;
      scaleX = (step) => MARGIN.left + (span * (step - first)) / (last - first);
      unscaleX = (x) => first + ((x - MARGIN.left) / span) * (last - first);
      const scaleY = (y) =>
        Math.max(MARGIN.top, Math.min(bottom, bottom - ((f(y) - least) / (most - least)) * (bottom - MARGIN.top)));

      for (const y of log ? logTicks(low, high, 5) : ticks(low, high, 5)) {
        svg(root, 'line', { class: 'rule', x1: MARGIN.left, x2: right, y1: scaleY(y), y2: scaleY(y) });
        svg(root, 'text', { x: MARGIN.left - 6, y: scaleY(y) + 4, 'text-anchor': 'end' }, format(y));
      }
      for (const x of ticks(first, last, Math.min(6, span / 60)).filter(Number.isInteger)) {
        svg(root, 'line', { class: 'axis', x1: scaleX(x), x2: scaleX(x), y1: bottom, y2: bottom + 4 });
        const anchor = scaleX(x) > right - 14 ? 'end' : 'middle';
        svg(root, 'text', { x: scaleX(x), y: bottom + 17, 'text-anchor': anchor }, formatStep(x));
      }
      svg(root, 'line', { class: 'axis', x1: MARGIN.left, x2: right, y1: bottom, y2: bottom });

      const path = ({ steps, values: ys }) => {
        let text = '';
        let open = false;
        steps.forEach((step, i) => {
          const ok = ys[i] !== null;
          if (ok) {
            const at = `${scaleX(step).toFixed(1)} ${scaleY(ys[i]).toFixed(1)}`;
            text += open ? `L${at}` : `M${at}h0`; // h0 makes a dot of a point without neighbours
          }
          open = ok;
        });
        return text;
      };
      for (const series of shown) {
        const colour = `var(--c-${series.colour})`;
        const edge = band(series);
        if (edge.length > 1 && !log) {
          const above = edge.map(([s, , y]) => `${scaleX(s)},${scaleY(y)}`);
          const below = edge.map(([s, y]) => `${scaleX(s)},${scaleY(y)}`).reverse();
          const area = svg(root, 'polygon', { class: 'band', points: [...above, ...below].join(' ') });
          area.style.fill = colour;
        }
        for (const seed of series.seeds) {
          const line = svg(root, 'path', { class: 'line seed', d: path(seed.points) });
          line.style.stroke = colour;
          svg(line, 'title', {}, `${series.name}/${seed.name}`);
        }
        const line = svg(root, 'path', { class: 'line main', d: path(series.points) });
        line.style.stroke = colour;
        if (series.points.steps.length > DOTS) continue;
        series.points.steps.forEach((step, i) => {
          const y = series.points.values[i];
          if (y === null) return;
          const dot = svg(root, 'circle', { r: 2, cx: scaleX(step), cy: scaleY(y) });
          dot.style.fill = colour;
        });
      }
      cross = svg(root, 'g', { class: 'cross' });
      cross.scaleY = scaleY;
      cross.ends = { y1: MARGIN.top, y2: bottom };
      if (reading !== null) read(reading);
    }

    function read(step) {
      reading = step;
      if (cross) cross.replaceChildren();
      const place = step === null ? -1 : nearest(all, step);
      const at = place < 0 ? null : all[place];
      readout.textContent = at === null ? '' : `step ${at.toLocaleString('en')}`;
      if (at !== null && cross) {
        svg(cross, 'line', { x1: scaleX(at), x2: scaleX(at), ...cross.ends });
      }
      panel.series.forEach((series, i) => {
        const value = values[i];
        value.textContent = idle(series);
        if (at === null || hidden.has(series)) return;
        const where = nearest(series.points.steps, at);
        if (where < 0) return;
        const [there, y] = [series.points.steps[where], series.points.values[where]];
        let text = format(y) + (there === at ? '' : ` (at ${there.toLocaleString('en')})`);
        const seeds = series.seeds
          .map(({ points }) => points.values[points.steps.indexOf(there)])
          .filter(Number.isFinite);
        if (seeds.length) text += ` [${format(Math.min(...seeds))}, ${format(Math.max(...seeds))}]`;
        value.textContent = text;
        if (y === null || !cross) return;
        const dot = svg(cross, 'circle', { r: 3.5, cx: scaleX(there), cy: cross.scaleY(y) });
        dot.style.fill = `var(--c-${series.colour})`;
      });
    }

    canvas.addEventListener('pointermove', (event) => {
      if (cross) readAll(unscaleX(event.clientX - canvas.getBoundingClientRect().left));
    });
    canvas.addEventListener('pointerleave', () => readAll(null));
    canvas.addEventListener('blur', () => readAll(null));
    canvas.addEventListener('keydown', (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!move || !all.length) return;
      event.preventDefault();
      const from = reading === null ? (move > 0 ? -1 : all.length) : nearest(all, reading);
      readAll(all[Math.max(0, Math.min(all.length - 1, from + move))]);
    });
    logButton.addEventListener('click', () => {
      log = !log;
      logButton.setAttribute('aria-pressed', String(log));
      draw();
    });
    return { figure, canvas, draw, read };
  }

  // Fills `root` with the panels of the groups that curves.arrange made.
  function plotAll(root, groups) {
    root.className = 'plots';
    for (const group of groups) {
      for (const panel of group.panels) {
        const plot = makePlot(panel, group.title);
        root.append(plot.figure);
        plots.push(plot);
      }
    }
    const widths = new Map();
    const redraw = () => {
      for (const plot of plots) {
        const width = plot.canvas.clientWidth;
        if (widths.get(plot) !== width) plot.draw();
        widths.set(plot, width);
      }
    };
    redraw();
    window.addEventListener('resize', redraw);
  }

  Object.assign(report, { ticks, logTicks, format, formatStep, nearest, plotAll, html });
})();
