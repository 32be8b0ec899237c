// Puts the page together: its data are in the element #data.
(() => {
  'use strict';
  const report = window.ganReport;

  // One frame at a time, by slider, arrow keys or in a row.
  function player(root) {
    const frames = [...root.querySelectorAll('img')];
    const slider = root.querySelector('input');
    const step = root.querySelector('output');
    const button = root.querySelector('button');
    let timer = null;

    function show() {
      const place = Number(slider.value);
      frames.forEach((frame, i) => (frame.hidden = i !== place));
      step.textContent = `step ${Number(frames[place].dataset.step).toLocaleString('en')}`;
      slider.setAttribute('aria-valuetext', step.textContent);
    }

    function stop() {
      clearInterval(timer);
      timer = null;
      button.textContent = 'Play';
    }

    function play() {
      if (slider.value === slider.max) slider.value = 0;
      show();
      button.textContent = 'Pause';
      timer = setInterval(() => {
        slider.value = Number(slider.value) + 1;
        show();
        if (slider.value === slider.max) stop();
      }, 400);
    }

    slider.addEventListener('input', () => {
      stop();
      show();
    });
    button.addEventListener('click', () => (timer === null ? play() : stop()));
    show();
  }

  // Rows that hold every word of the search stay.
  function search(input, rows) {
    input.addEventListener('input', () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
    });
  }

  const by = (name) => document.getElementById(name);
  const data = JSON.parse(by('data').textContent);
  if (by('plots')) report.plotAll(by('plots'), data.curves);
  if (by('player')) player(by('player'));
  if (data.blind) report.blindTest(data.blind, data.about);
  search(by('config-search'), document.querySelectorAll('#config-rows tr'));
})();
