"use strict";
// Panels of accuracies, gradients and statistics over training. What a panel shows of a run at a step: words, a
// figure, its numbers. A panel has
//   id, title, cursor: whether its x axis is training time
//   what(run, state): null or the reason why there is nothing to show
//   key(run, state): what the figure depends on; while it is the same, nothing is drawn
//   words(run, state), figure(run, state), rows(run, state): header and rows of the CSV
const timePanels = (() => {
  const { numbers, indexAt, row, column } = series;
  const { percent, shade, count, when, timeAxis, overTime, gradientOf, modeNote } = shared;
  const { colours } = page.data;

  const accuracies = {
    id: "accuracies", title: "Accuracy", cursor: true,
    what: (run) => (run.history ? null : "No table holds this run's history."),
    key: () => "",
    words(run, state) {
      const { steps, train, test, batch } = run.history;
      const i = indexAt(steps, state.step);
      const both = batch ? ` (${percent(numbers(batch)[i])} with the batch's own statistics)` : "";
      const said = [["Training", train, ""], ["test", test, both]].filter(([, packed]) => packed).map(([name, packed, more]) => `${name} ${percent(numbers(packed)[i])}${more}`);
      return `${said.join(", ")} ${when(steps, state.step)}.` +
        (run.diverged === null ? "" : ` The run diverged at step ${count(run.diverged)}.`);
    },
    figure(run) {
      const { steps, train, test, batch } = run.history;
      const x = overTime(run, steps);
      const line = (name, packed, look) => ({ x, y: numbers(packed), customdata: steps, name, mode: "lines", line: look,
        hovertemplate: `step %{customdata}: %{y:.2%}<extra>${name}</extra>` });
      const data = train ? [line("training", train, { color: colours.black, dash: "6px,2px", width: 1.5 })] : [];
      if (batch) data.push(line("test, batch's statistics", batch, { color: colours.sky, width: 1.5 }));
      if (test) data.push(line(batch && run.history.distance ? "test, running averages" : "test", test, { color: colours.red, width: 2.2 }));
      return { data, layout: { showlegend: true, legend: { font: { size: 10.5 } }, xaxis: timeAxis(run).axis, yaxis: { range: [0, 1.03], tickformat: ".0%", dtick: 0.25 } } };
    },
    rows: (run) => [["step", "train_accuracy", "test_accuracy", "test_accuracy_batch_statistics"],
      ...run.history.steps.map((step, i) => [step, ...["train", "test", "batch"].map((name) => run.history[name] ? numbers(run.history[name])[i] : NaN)])],
  };

  function layerLines(run, part, state, hover) {
    const x = overTime(run, part.steps), n = part.layers.length;
    return part.layers.map((layer, i) => ({ x, y: column(part.values, i, n), customdata: part.steps, name: `${run.place} ${layer}`, mode: "lines",
      line: { color: shade(i, n), width: layer === state.layer ? 3.5 : 1.2 },
      hovertemplate: `${run.place} ${layer}, step %{customdata}: %{y:${hover}}<extra></extra>` }));
  }
  const PHASES = { I: "higher in shallow layers (phase I)", II: "higher in deep layers (phase II)", "": "in no order of depth" };

  const gradients = {
    id: "gradients", title: "RPD gradient g of every layer", cursor: true, layers: true,
    what: (run) => (gradientOf(run, "").part ? null : "No table holds gradients of this run."),
    key: (run, state) => `${gradientOf(run, state.mode).name} ${state.layer}`,
    words(run, state) {
      const { name, part } = gradientOf(run, state.mode);
      const i = indexAt(part.steps, state.step), values = row(part.values, i, part.layers.length);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const order = part.phases ? `; g is ${mean > page.data.thresholds.mean_gradient ? PHASES[part.phases[i]] : "near zero"}` : "";
      return `Mean ${mean.toFixed(2)} ${when(part.steps, state.step)}${order}.${modeNote(run, state, name)}`;
    },
    figure(run, state) {
      const { part } = gradientOf(run, state.mode);
      return { data: layerLines(run, part, state, ".3f"), layout: { xaxis: timeAxis(run).axis, yaxis: { title: "g", zeroline: true } } };
    },
    rows(run, state) {
      const { name, part } = gradientOf(run, state.mode), n = part.layers.length;
      return [["step", "mode", "layer", "gradient"],
        ...part.steps.flatMap((step, i) => part.layers.map((layer, j) => [step, name, layer, row(part.values, i, n)[j]]))];
    },
  };

  const profile = {
    id: "profile", title: "g over depth at this step",
    what: gradients.what,
    key(run, state) {
      const { name, part } = gradientOf(run, state.mode);
      return `${name} ${indexAt(part.steps, state.step)} ${state.layer}`;
    },
    words(run, state) {
      const { name, part } = gradientOf(run, state.mode);
      return `${when(part.steps, state.step).replace("at", "At")}. ${part.of ? `Bars: ${part.of}.` : run.seed === null ? "No errors were measured." : "One seed, so no errors."}${modeNote(run, state, name)}`;
    },
    figure(run, state) {
      const { part } = gradientOf(run, state.mode);
      const n = part.layers.length, { y, array, arrayminus } = profile.heights(run, state);
      const trace = { x: part.layers, y, mode: n > 1 ? "lines+markers" : "markers", line: { color: colours.grey, width: 1 },
        marker: { color: part.layers.map((_, j) => shade(j, n)), size: part.layers.map((layer) => (layer === state.layer ? 11 : 6.5)) },
        hovertemplate: `${run.place} %{x}: %{y:.3f}<extra></extra>` };
      if (part.of) {
        trace.error_y = { type: "data", symmetric: false, thickness: 1, width: 0, color: colours.grey, array, arrayminus };
      }
      const ends = [part.values, ...(part.of ? [part.low, part.high] : [])].flatMap((packed) => [packed.low, packed.low + 65534 * packed.step]);
      const low = Math.min(0, ...ends), high = Math.max(...ends), room = 0.04 * (high - low || 1);
      return { data: [trace], layout: { xaxis: { title: run.place, range: [part.layers[0] - 0.6, part.layers[n - 1] + 0.6], automargin: false, ...(n < 6 ? { dtick: 1 } : {}) },
        yaxis: { title: "g", range: [low - room, high + room], zeroline: true, automargin: false } } };
    },
    // What alone changes from step to step.
    heights(run, state) {
      const { part } = gradientOf(run, state.mode), n = part.layers.length, i = indexAt(part.steps, state.step);
      const y = row(part.values, i, n);
      if (!part.of) return { y };
      const upTo = (ends, sign) => row(ends, i, n).map((end, j) => (Number.isFinite(end) ? Math.max(0, sign * (end - y[j])) : 0));
      return { y, array: upTo(part.high, 1), arrayminus: upTo(part.low, -1) };
    },
    restyled(run, state) {
      const { y, array, arrayminus } = profile.heights(run, state);
      return array ? { y: [y], "error_y.array": [array], "error_y.arrayminus": [arrayminus] } : { y: [y] };
    },
    same: (run, state) => `${gradientOf(run, state.mode).name} ${state.layer}`,
    rows(run, state) {
      const { name, part } = gradientOf(run, state.mode), n = part.layers.length, i = indexAt(part.steps, state.step);
      return [["step", "mode", "layer", "gradient", "low", "high"],
        ...part.layers.map((layer, j) => [part.steps[i], name, layer, ...[part.values, part.low, part.high].map((packed) => (packed ? row(packed, i, n)[j] : NaN))])];
    },
  };

  const distance = {
    id: "distance", title: "Distance of running from batch statistics", cursor: true, layers: true,
    what: (run) => (run.history?.distance ? null : "This network has no batch norm, or no table holds its statistics."),
    key: (run, state) => `${state.layer}`,
    words(run, state) {
      const { steps, distance: part } = run.history, n = part.layers.length;
      const values = [...row(part.values, indexAt(steps, state.step), n)].filter(Number.isFinite);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return values.length ? `Mean over layers ${mean.toPrecision(3)} ${when(steps, state.step)}.` : `Not finite ${when(steps, state.step)}.`;
    },
    figure(run, state) {
      const part = { ...run.history.distance, steps: run.history.steps };
      return { data: layerLines(run, part, state, ".3g"), layout: { xaxis: timeAxis(run).axis, yaxis: { type: "log", title: "distance", dtick: 1, exponentformat: "power" } } };
    },
    rows(run) {
      const { steps, distance: part } = run.history, n = part.layers.length;
      return [["step", "layer", "statistics_distance"], ...steps.flatMap((step, i) => part.layers.map((layer, j) => [step, layer, row(part.values, i, n)[j]]))];
    },
  };

  return [accuracies, gradients, profile, distance];
})();
