// Curves over updates: a line for each seed, the last points only.

export class Curves {
  constructor(losses, modes, most) {
    this.losses = losses;
    this.modes = modes;
    this.most = most;
    this.points = [];
  }

  reset(points) { this.points = points.slice(-this.most); }

  // A point is [step, [losses, modes] of the first seed, of the second, ...].
  add(frame) {
    const last = this.points.at(-1);
    const named = frame.replicas.some((x) => Object.keys(x.losses).length);
    if (!named || (last && last[0] === frame.step)) return;
    if (last && last[0] > frame.step) this.points = [];
    this.points.push([frame.step, ...frame.replicas.map((x) => [x.losses, x.modes])]);
    if (this.points.length > this.most) this.points.splice(0, this.points.length - this.most);
  }

  draw(mostModes) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const seeds = this.points.length ? Math.max(...this.points.map((x) => x.length)) - 1 : 0;
    const lines = (value, color) => [...Array(seeds).keys()].map((i) => ({
      color,
      values: this.points.map((x) => [x[0], x[i + 1] ? value(x[i + 1]) : NaN]),
    }));
    plot(this.losses, [
      ...lines((x) => x[0].discriminator, colour('--d')),
      ...lines((x) => x[0].generator, colour('--g')),
    ], colour);
    plot(this.modes, lines((x) => x[1], colour('--g')), colour, [0, mostModes]);
  }
}

function plot(canvas, lines, colour, range) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const all = lines.flatMap((x) => x.values).filter((x) => Number.isFinite(x[1]));
  if (!all.length) return;
  const xs = all.map((x) => x[0]);
  const ys = all.map((x) => x[1]).sort((a, b) => a - b);
  const rare = Math.floor(ys.length / 100); // the ends, that would flatten the rest
  const [first, last] = [Math.min(...xs), Math.max(...xs)];
  let [low, high] = range || [ys[rare], ys[ys.length - 1 - rare]];
  if (high - low < 1e-6) [low, high] = [low - 0.5, high + 0.5];
  const [left, top, bottom] = [44, 10, 20];
  const x = (value) => left + ((value - first) / (last - first || 1)) * (width - left - 12);
  const share = (value) => Math.max(-0.05, Math.min(1.05, (value - low) / (high - low)));
  const y = (value) => height - bottom - share(value) * (height - top - bottom);
  context.font = '12px system-ui, sans-serif';
  context.fillStyle = colour('--soft');
  context.strokeStyle = colour('--rule');
  context.textAlign = 'right';
  for (const value of [low, high]) {
    context.fillText(range ? value : value.toPrecision(3), left - 6, y(value) + 4);
    context.beginPath();
    context.moveTo(left, y(value));
    context.lineTo(width - 12, y(value));
    context.stroke();
  }
  context.fillText(last, width - 12, height - 5);
  context.textAlign = 'left';
  context.fillText(first, left, height - 5);
  context.lineWidth = 1.5;
  for (const line of lines) {
    context.strokeStyle = line.color;
    context.globalAlpha = lines.length > 2 ? 0.75 : 1;
    context.beginPath();
    let pen = false;
    for (const [step, value] of line.values) {
      if (Number.isFinite(value)) {
        if (pen) context.lineTo(x(step), y(value));
        else context.moveTo(x(step), y(value));
      }
      pen = Number.isFinite(value);
    }
    context.stroke();
    context.globalAlpha = 1;
  }
}
