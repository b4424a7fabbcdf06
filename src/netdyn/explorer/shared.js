"use strict";
// Words, colours and axes that panels share, and the gradients of a mode.
const shared = (() => {
  const { indexAt } = series;
  const { layers: shades } = page.data;
  const percent = (value) => (Number.isFinite(value) ? `${(100 * value).toFixed(1)} %` : "not finite");
  const shade = (index, count) => shades[Math.round((count > 1 ? index / (count - 1) : 0) * (shades.length - 1))];
  const count = (value) => value.toLocaleString("en");
  const when = (steps, step) => {
    const at = steps[indexAt(steps, step)];
    return at === step ? `at step ${count(at)}` : `at step ${count(at)}, the ${at < step ? "last before" : "first"} that was measured`;
  };

  // A logarithmic axis of steps or amplitudes, with 0 left of the smallest positive value.
  function zeroLog(values, title) {
    const positive = values.filter((value) => value > 0);
    const smallest = positive.length ? Math.min(...positive) : 1, largest = positive.length ? Math.max(...positive) : 1;
    const zero = smallest / 3, hasZero = values.some((value) => value === 0);
    const ticks = [], from = Math.ceil(Math.log10(smallest) - 1e-9), to = Math.floor(Math.log10(largest) + 1e-9);
    const fine = to - from < 2 ? [1, 3] : [1];
    for (let power = from - 1; power <= to; power++) {
      for (const digit of fine) ticks.push(Number(`${digit}e${power}`));
    }
    const shown = ticks.filter((tick) => tick >= smallest * 0.999 && tick <= largest * 1.001);
    const label = (tick) => (tick >= 1e4 ? `10<sup>${Math.round(Math.log10(tick))}</sup>` : `${tick}`);
    return {
      place: (value) => (value > 0 ? value : zero),
      axis: { type: "log", title, tickvals: [...(hasZero ? [zero] : []), ...shown], ticktext: [...(hasZero ? ["0"] : []), ...shown.map(label)],
        range: [Math.log10(hasZero ? zero * 0.85 : smallest * 0.9), Math.log10(largest * 1.08)] },
    };
  }

  const axes = new WeakMap();
  function timeAxis(run) {
    if (!axes.has(run)) axes.set(run, zeroLog(run.history ? run.history.steps : gradientOf(run, "evaluation").part.steps, "step"));
    return axes.get(run);
  }
  const overTime = (run, steps) => steps.map(timeAxis(run).place);

  // Gradients of the chosen mode, or of the only one.
  function gradientOf(run, mode) {
    const all = run.gradient ?? {};
    const name = all[mode] ? mode : Object.keys(all)[0];
    return { name, part: all[name] };
  }
  const modeNote = (run, state, name) => (name === state.mode ? "" : ` Measured with ${name === "training" ? "the batch's statistics" : "running averages"} only.`);

  return { percent, shade, count, when, zeroLog, timeAxis, overTime, gradientOf, modeNote };
})();
