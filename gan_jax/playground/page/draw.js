// One panel: the discriminator's field, the generator's manifold, points and arrows.

const GENERATED = [136, 164, 204];
const UNSURE = [244, 242, 238];
const REAL = [240, 190, 130];
const SIZE = 480; // of the canvas, in its own pixels

export function unpack(text, kind) {
  const bytes = Uint8Array.from(atob(text), (x) => x.charCodeAt(0));
  return kind === Uint8Array ? bytes : new kind(bytes.buffer);
}

function mixed(share) {
  const [from, to, t] = share < 0.5 ? [GENERATED, UNSURE, 2 * share] : [UNSURE, REAL, 2 * share - 1];
  return from.map((x, i) => x + t * (to[i] - x));
}

const COLOURS = [...Array(256).keys()].map((x) => mixed(x / 255));

export class Panel {
  constructor(told) {
    this.told = told; // {half, unit, resolution, net}
    this.element = document.createElement('figure');
    this.canvas = document.createElement('canvas');
    this.canvas.width = this.canvas.height = SIZE;
    this.canvas.tabIndex = 0;
    this.caption = document.createElement('figcaption');
    this.element.append(this.canvas, this.caption);
    this.small = document.createElement('canvas');
    this.small.width = this.small.height = told.resolution;
    this.context = this.canvas.getContext('2d');
  }

  // Where a point of the plane is on the canvas.
  x(value) { return ((value / this.told.half + 1) / 2) * SIZE; }
  y(value) { return ((1 - value / this.told.half) / 2) * SIZE; }

  // The point of the plane under the pointer.
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const { half } = this.told;
    const x = (2 * (event.clientX - box.x) / box.width - 1) * half;
    const y = (1 - 2 * (event.clientY - box.y) / box.height) * half;
    return [x, y];
  }

  field(values) {
    const context = this.small.getContext('2d');
    const image = context.createImageData(this.small.width, this.small.height);
    values.forEach((value, i) => image.data.set([...COLOURS[value], 255], 4 * i));
    context.putImageData(image, 0, 0);
    this.context.drawImage(this.small, 0, 0, SIZE, SIZE);
  }

  dots(values, radius, colour) {
    const { context, told } = this;
    context.fillStyle = colour;
    context.beginPath();
    for (let i = 0; i + 1 < values.length; i += 2) {
      const x = this.x(values[i] / told.unit);
      const y = this.y(values[i + 1] / told.unit);
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 7);
    }
    context.fill();
  }

  net(values) {
    const { context, told } = this;
    const side = told.net;
    context.strokeStyle = 'rgba(110, 20, 90, 0.4)';
    context.lineWidth = 1;
    context.beginPath();
    for (const [a, b] of [[side, 1], [1, side]]) {
      for (let i = 0; i < side; i++) {
        for (let j = 0; j < side; j++) {
          const k = 2 * (i * a + j * b);
          const where = [this.x(values[k] / told.unit), this.y(values[k + 1] / told.unit)];
          if (j) context.lineTo(...where);
          else context.moveTo(...where);
        }
      }
    }
    context.stroke();
  }

  // Long gradients are cut, so that arrows stay within sight.
  arrows(from, along) {
    const { context, told } = this;
    context.strokeStyle = '#0b6b4f';
    context.lineWidth = 1.5;
    context.beginPath();
    for (let i = 0; i + 1 < along.length; i += 2) {
      const dx = along[i] / told.unit;
      const dy = along[i + 1] / told.unit;
      const length = Math.hypot(dx, dy);
      if (!(length > 1e-4)) continue;
      const scale = (0.3 * Math.tanh(length)) / length;
      const x = this.x(from[i] / told.unit);
      const y = this.y(from[i + 1] / told.unit);
      const u = this.x(from[i] / told.unit + scale * dx);
      const v = this.y(from[i + 1] / told.unit + scale * dy);
      const angle = Math.atan2(v - y, u - x);
      const tip = Math.min(6, Math.hypot(u - x, v - y) / 2);
      context.moveTo(x, y);
      context.lineTo(u, v);
      for (const turn of [2.6, -2.6]) {
        context.moveTo(u, v);
        context.lineTo(u + tip * Math.cos(angle + turn), v + tip * Math.sin(angle + turn));
      }
    }
    context.stroke();
  }

  // What is drawn by hand, and the cross that keys move.
  sketch(stamps, cross) {
    const { context } = this;
    context.fillStyle = 'rgba(38, 44, 56, 0.75)';
    for (const [x, y] of stamps) {
      context.beginPath();
      context.arc(this.x(x), this.y(y), 9, 0, 7);
      context.fill();
    }
    if (!cross) return;
    const [x, y] = [this.x(cross[0]), this.y(cross[1])];
    context.strokeStyle = '#1b2230';
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(x - 12, y);
    context.lineTo(x + 12, y);
    context.moveTo(x, y - 12);
    context.lineTo(x, y + 12);
    context.stroke();
  }

  show(frame, i, options) {
    const one = frame.replicas[i];
    const fake = unpack(one.fake, Int16Array);
    this.field(unpack(one.field, Uint8Array));
    if (options.net) this.net(unpack(one.manifold, Int16Array));
    this.dots(unpack(frame.real, Int16Array), 2.6, 'rgba(38, 44, 56, 0.6)');
    this.dots(fake, 2.2, 'rgba(222, 12, 96, 0.85)');
    if (options.arrows) this.arrows(fake, unpack(one.arrows, Int16Array));
    if (options.drawing) this.sketch(options.stamps, options.cross);
    const near = Math.round(100 * one.quality);
    const text = `seed ${frame.seeds[i]}: ${one.modes} of ${frame.num_modes} modes, ${near}% near a mode`;
    this.caption.textContent = text;
    this.canvas.setAttribute('aria-label', `Real and generated points, ${text}`);
  }
}
