// The blind test: one image at a time, real or generated?
(() => {
  'use strict';
  const report = (window.ganReport = window.ganReport || {});
  const Z = 1.959963984540054; // two-sided 95% of a normal distribution

  // The interval of Wilson (1927) for a share, of `right` of `total`.
  function wilson(right, total, z = Z) {
    if (!total) return [0, 1];
    const share = right / total;
    const middle = share + (z * z) / (2 * total);
    const half = z * Math.sqrt((share * (1 - share)) / total + (z * z) / (4 * total * total));
    const scale = 1 + (z * z) / total;
    return [Math.max(0, (middle - half) / scale), Math.min(1, (middle + half) / scale)];
  }

  // A copy in random order, all orders equally likely.
  function shuffle(list, random = Math.random) {
    const copy = [...list];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [copy[i], copy[j]] = [copy[j], copy[i]];
    }
    return copy;
  }

  // Equally many real and generated images, in random order, by id: 'real/3'.
  function drawTrials(real, generated, random = Math.random) {
    const count = Math.min(real, generated);
    const some = (kind, total) =>
      shuffle([...Array(total).keys()], random).slice(0, count).map((i) => `${kind}/${i}`);
    return shuffle([...some('real', real), ...some('generated', generated)], random);
  }

  const truth = (id) => id.split('/')[0];

  // Of answers [{id, answer}]: how many are right, in all and of each kind.
  function score(answers) {
    const right = answers.filter((x) => x.answer === truth(x.id)).length;
    const fooled = (kind) =>
      answers.filter((x) => truth(x.id) === kind && x.answer !== kind).length;
    const count = (kind) => answers.filter((x) => truth(x.id) === kind).length;
    return {
      answered: answers.length,
      right,
      accuracy: answers.length ? right / answers.length : null,
      interval: wilson(right, answers.length),
      real: { shown: count('real'), misjudged: fooled('real') },
      generated: { shown: count('generated'), misjudged: fooled('generated') },
    };
  }

  // What an interval says of guessing.
  function verdict([low, high]) {
    if (low > 0.5) return 'The interval is above 50%: the images can be told apart.';
    if (high < 0.5) {
      return 'The interval is below 50%: the kinds look different, but were taken for each other.';
    }
    return 'The interval includes 50%: these answers do not show that the images can be told apart.';
  }

  function blindTest(blind, about) {
    const by = (name) => document.getElementById(`blind-${name}`);
    const image = by('image');
    const memory = `gan_jax blind test ${blind.digest}`;
    const percent = (x) => `${(100 * x).toFixed(0)}%`;
    const source = (id) => blind[truth(id)][Number(id.split('/')[1])];
    let trials, answers, ended, started, shownAt;

    function begin() {
      trials = drawTrials(blind.real.length, blind.generated.length);
      answers = [];
      ended = false;
      started = new Date().toISOString();
    }

    function save() {
      try {
        localStorage.setItem(memory, JSON.stringify({ trials, answers, ended, started }));
      } catch {
        // Without storage the answers live as long as the page.
      }
    }

    function restore() {
      try {
        const saved = JSON.parse(localStorage.getItem(memory));
        const known = saved.trials.every((id) => source(id));
        const inOrder = saved.answers.every((x, i) => x.id === saved.trials[i]);
        if (!known || !inOrder || !saved.answers.length) return false;
        ({ trials, answers, ended, started } = saved);
        return true;
      } catch {
        return false;
      }
    }

    function view(name) {
      for (const part of ['start', 'test', 'result']) by(part).hidden = part !== name;
    }

    function next() {
      if (ended || answers.length === trials.length) return finish();
      view('test');
      const place = answers.length;
      by('progress').textContent = `Image ${place + 1} of ${trials.length}`;
      by('bar').max = trials.length;
      by('bar').value = place;
      by('stop').disabled = !place;
      shownAt = null;
      image.onload = image.onerror = () => (shownAt = performance.now());
      image.src = source(trials[place]);
    }

    // No image can be answered before it is seen, nor twice.
    function answer(kind) {
      if (by('test').hidden || shownAt === null) return;
      const milliseconds = Math.round(performance.now() - shownAt);
      const id = trials[answers.length];
      answers.push({ id, truth: truth(id), answer: kind, milliseconds });
      save();
      next();
    }

    function finish() {
      ended = true;
      save();
      view('result');
      const result = score(answers);
      const [low, high] = result.interval;
      by('accuracy').textContent = percent(result.accuracy);
      by('interval').textContent =
        `${result.right} of ${result.answered} right; ` +
        `95% confidence interval ${percent(low)} to ${percent(high)}`;
      by('verdict').textContent = verdict(result.interval);
      by('kinds').textContent =
        `Generated images taken for real: ${result.generated.misjudged} of ` +
        `${result.generated.shown}. Real images taken for generated: ${result.real.misjudged} of ` +
        `${result.real.shown}.`;
      const wrong = answers.filter((x) => x.answer !== x.truth);
      by('wrong').replaceChildren(
        ...wrong.map((x) => {
          const figure = report.html('figure');
          const picture = report.html('img', image.className);
          picture.src = source(x.id);
          picture.alt = x.id;
          figure.append(picture, report.html('figcaption', '', `is ${x.truth}`));
          return figure;
        }),
      );
      by('wrong-head').textContent = wrong.length ? 'Misjudged' : 'None was misjudged';
    }

    function download() {
      const { answered, right, accuracy, interval } = score(answers);
      const record = {
        title: about.title,
        started,
        settings: {
          test: 'one image at a time, real or generated',
          images: trials.length,
          complete: answers.length === trials.length,
          confidence: 0.95,
          digest: blind.digest,
          evaluation: about.settings,
          config: about.config,
        },
        result: { answered, right, accuracy, interval },
        answers,
      };
      const text = JSON.stringify(record, null, 2) + '\n';
      const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
      const link = document.createElement('a');
      link.href = url;
      link.download = 'blind_test.json';
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 10000);
    }

    function visible() {
      const box = image.getBoundingClientRect();
      return box.bottom > 0 && box.top < window.innerHeight;
    }

    if (restore()) {
      by('begin').textContent = `Continue after ${answers.length} of ${trials.length}`;
      if (ended || answers.length === trials.length) finish();
    } else {
      begin();
    }
    by('begin').addEventListener('click', next);
    by('real').addEventListener('click', () => answer('real'));
    by('generated').addEventListener('click', () => answer('generated'));
    by('stop').addEventListener('click', finish);
    by('download').addEventListener('click', download);
    by('again').addEventListener('click', () => {
      begin();
      next();
    });
    document.addEventListener('keydown', (event) => {
      const kind = { r: 'real', g: 'generated' }[event.key.toLowerCase()];
      const typing = event.target.matches && event.target.matches('input:not([type=range])');
      const held = event.repeat || event.ctrlKey || event.metaKey || event.altKey;
      if (kind && !typing && !held && visible()) answer(kind);
    });
  }

  Object.assign(report, { wilson, shuffle, drawTrials, score, verdict, blindTest });
})();
