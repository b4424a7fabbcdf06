"use strict";
// Panels of samples and noise, with the same parts as those over training.
const samplePanels = (() => {
  const { numbers, indexAt, row } = series;
  const { count, percent, when, zeroLog, timeAxis, overTime } = shared;
  const { colours, classes } = page.data;

  // Steps with projections, and the parts of each, of a run.
  const byStep = new WeakMap();
  function projectionsOf(run) {
    if (!byStep.has(run)) {
      const parts = new Map();
      for (const part of run.projection) parts.set(part.step, [...(parts.get(part.step) ?? []), part]);
      byStep.set(run, { steps: [...parts.keys()].sort((a, b) => a - b), parts });
    }
    return byStep.get(run);
  }

  // The ends of an axis around values, at multiples of a half power of ten: they change seldom from step to step.
  function ends(values) {
    const low = Math.min(...values), high = Math.max(...values), span = high - low || Math.abs(low) || 1;
    const unit = 10 ** Math.floor(Math.log10(span)) / 2, room = 0.04 * span;
    return [Math.floor((low - room) / unit) * unit, Math.ceil((high + room) / unit) * unit];
  }

  const projection = {
    id: "projection", title: "Where samples lie, in the plane of the logits",
    what: (run) => (run.projection ? null : "No table holds projections of this run."),
    at(run, state) {
      const { steps, parts } = projectionsOf(run);
      const step = steps[indexAt(steps, state.step)], here = parts.get(step);
      const tests = here.filter((part) => part.split === "test");
      return { step, steps, train: here.find((part) => part.split === "train"), test: tests.find((part) => part.mode === state.mode) ?? tests[0],
        regions: (run.regions ?? []).filter((each) => each.step === step) };
    },
    axes(run, state) {
      const { train, test, regions } = projection.at(run, state);
      const shown = [train, test].filter(Boolean), outlines = regions.map(ellipse);
      const of = (name, side) => [...shown.flatMap((part) => [...numbers(part[name])]), ...outlines.flatMap((each) => each[side])].filter(Number.isFinite);
      const [h1, h2] = [of("h1", "x"), of("h2", "y")];
      return h1.length ? [ends(h1), ends(h2)] : [[0, 1], [0, 1]];
    },
    key(run, state) {
      const { test, regions, step } = projection.at(run, state);
      return `${test?.mode} ${regions.length ? step : ""} ${projection.axes(run, state)}`;
    },
    numbersKey: (run, state) => `${projection.at(run, state).step} ${state.mode}`,
    words(run, state) {
      const { steps, train, test, regions } = projection.at(run, state);
      const { moment } = test ?? train;
      return `${when(steps, state.step).replace("at", "At")}${moment ? ` (${moment})` : ""}.${steps.length > 3 ? "" : ` Measured at steps ${steps.map(count).join(" and ")} only.`} ` +
        `Dots: training samples${regions.length ? " and the region that holds 99 % of them" : ""}; crosses: test samples.`;
    },
    figure(run, state) {
      const { train, test, regions } = projection.at(run, state);
      const digits = [...new Set([train, test].filter(Boolean).flatMap((part) => part.digits.map(([digit]) => digit)))];
      const [h1, h2] = projection.axes(run, state), colour = (digit) => classes[digit % classes.length];
      const data = digits.map((digit) => ({ x: [null], y: [null], mode: "markers", hoverinfo: "skip", name: `${digit}`, showlegend: true, marker: { size: 7, color: colour(digit) } }));
      for (const region of regions) data.push({ ...ellipse(region), mode: "lines", line: { color: colour(region.digit), width: 1.5 }, showlegend: false, hoverinfo: "skip" });
      return { data, layout: { height: 300, showlegend: digits.length > 1, legend: { itemclick: false, itemdoubleclick: false }, xaxis: { title: "h<sub>1</sub>", range: h1 }, yaxis: { title: "h<sub>2</sub>", range: h2 } } };
    },
    // The samples, at most 200 of a digit.
    points(run, state) {
      const { train, test } = projection.at(run, state);
      const groups = [];
      for (const [part, look] of [[train, { size: 2, opacity: 0.4 }], [test, { size: 2.5, opacity: 0.9, cross: true }]]) {
        let from = 0;
        for (const [digit, many] of part?.digits ?? []) {
          const to = from + Math.min(many, 200);
          groups.push({ digit, split: part.split, x: numbers(part.h1).subarray(from, to), y: numbers(part.h2).subarray(from, to), colour: classes[digit % classes.length], ...look });
          from += many;
        }
      }
      return groups;
    },
    rows(run, state) {
      const { train, test } = projection.at(run, state);
      const rows = [["step", "moment", "split", "mode", "digit", "h1", "h2"]];
      for (const part of [train, test].filter(Boolean)) {
        let from = 0;
        for (const [digit, many] of part.digits) {
          for (let i = from; i < from + many; i++) rows.push([part.step, part.moment, part.split, part.mode, digit, numbers(part.h1)[i], numbers(part.h2)[i]]);
          from += many;
        }
      }
      return rows;
    },
  };

  // The points at a Mahalanobis distance from the mean: L u, with L Lᵀ the covariance.
  function ellipse({ mean_h1, mean_h2, cov_11, cov_12, cov_22, radius }) {
    const a = Math.sqrt(cov_11), b = cov_12 / a, c = Math.sqrt(Math.max(0, cov_22 - b * b));
    const angles = Array.from({ length: 73 }, (_, i) => (i * Math.PI) / 36);
    return { x: angles.map((t) => mean_h1 + radius * a * Math.cos(t)), y: angles.map((t) => mean_h2 + radius * (b * Math.cos(t) + c * Math.sin(t))) };
  }

  const SPACES = { sample: "noise on samples", weight: "noise on weights" };
  const noiseName = ({ space, noise_return }) => SPACES[space] + (noise_return ? ` (${noise_return})` : "");
  const spaceColour = (space) => (space === "sample" ? colours.blue : colours.orange);

  const noise = {
    id: "noise", title: "Accuracy against noise",
    what: (run) => (run.noise || run.basin ? null : "No table holds the accuracy of this run under noise."),
    key: (run, state) => [...(run.noise ?? []), ...(run.basin ?? [])].map((part) => indexAt(part.steps, state.step)).join(" "),
    words(run, state) {
      const first = run.noise?.[0] ?? run.basin[0];
      return `${when(first.steps, state.step).replace("at", "At")}. ${run.noise ? "" : "No curve was measured. "}${run.basin ? "A mark is where the accuracy falls to 50 %, the size of the basin." : "No basin was measured."}`;
    },
    figure(run, state) {
      const curves = run.noise ?? [], basins = (run.basin ?? []).filter((part) => !numbers(part.size).every((size) => !(size > 0)));
      const amplitudes = [...curves.flatMap((part) => part.amplitudes), ...basins.flatMap((part) => [...numbers(part.size)].filter((size) => size > 0.003))];
      const { place, axis } = zeroLog([0, ...amplitudes], "noise amplitude");
      const dashes = ["solid", "dot", "dash"];
      const data = curves.map((part, k) => {
        const i = indexAt(part.steps, state.step);
        return { x: part.amplitudes.map(place), y: row(part.accuracy, i, part.amplitudes.length), customdata: part.amplitudes, mode: "lines+markers", name: noiseName(part),
          line: { color: spaceColour(part.space), width: 2, dash: dashes[k % 3] }, marker: { size: 4 }, hovertemplate: "noise %{customdata:.3g}: %{y:.1%}<extra></extra>" };
      });
      basins.forEach((part, k) => {
        const i = indexAt(part.steps, state.step), size = numbers(part.size)[i];
        data.push({ x: [Number.isFinite(size) ? place(size) : null], y: [0.5], customdata: [size], mode: "markers+text", name: `basin, ${noiseName(part)}`, showlegend: false,
          text: [size > 0 ? noiseName(part).replace("noise on ", "") : ""], textposition: ["bottom left", "bottom center", "top center", "top left"][k % 4], textfont: { size: 10 }, cliponaxis: false,
          error_x: { type: "data", array: [numbers(part.size_error)[i] || 0], thickness: 1.5 },
          marker: { symbol: ["diamond", "circle", "square", "triangle-up"][k % 4], size: 10, color: spaceColour(part.space), line: { width: 1, color: colours.black } },
          hovertemplate: `${noiseName(part)}: %{customdata:.3g}<extra></extra>` });
      });
      return { data, layout: { showlegend: true, legend: { font: { size: 10 } }, xaxis: axis, yaxis: { title: "", range: [0, 1.04], tickformat: ".0%", dtick: 0.25 },
        shapes: [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: 0.5, y1: 0.5, line: { color: colours.grey, dash: "dot", width: 1 } }] } };
    },
    rows: (run) => [["table", "space", "step", "amplitude", "accuracy"],
      ...(run.noise ?? []).flatMap((part) => part.steps.flatMap((step, i) => part.amplitudes.map((amplitude, j) => [part.name, part.space, step, amplitude, row(part.accuracy, i, part.amplitudes.length)[j]])))],
  };

  const basins = {
    id: "basins", title: "Size of the basins", cursor: true,
    what: (run) => (run.basin?.some((part) => part.steps.length > 2) ? null
      : run.basin?.length ? "Basins of this run were measured at one step: they are marked in the panel of noise."
        : "No table holds basins of this run."),
    key: () => "",
    words(run, state) {
      const parts = run.basin.filter((part) => part.steps.length > 2);
      const said = parts.map((part) => {
        const i = indexAt(part.steps, state.step);
        return `${noiseName(part)} ${part.endless[i] ? "without end" : numbers(part.size)[i].toPrecision(3)}`;
      });
      return `${when(parts[0].steps, state.step).replace("at", "At")}: ${said.join(", ")}.`;
    },
    figure(run) {
      const dashes = ["solid", "dot", "dash"];
      const data = run.basin.filter((part) => part.steps.length > 2).map((part, k) => ({ x: overTime(run, part.steps), y: numbers(part.size), customdata: part.steps, mode: "lines+markers",
        name: noiseName(part), marker: { size: 3.5 }, line: { color: spaceColour(part.space), width: 1.8, dash: dashes[k % 3] }, error_y: { type: "data", array: numbers(part.size_error), thickness: 0.8, width: 1.5 },
        hovertemplate: "step %{customdata}: %{y:.3g}<extra></extra>" }));
      return { data, layout: { showlegend: true, legend: { font: { size: 10 } }, xaxis: timeAxis(run).axis, yaxis: { title: "basin size", rangemode: "tozero" } } };
    },
    rows: (run) => [["table", "space", "step", "size", "size_error"],
      ...run.basin.flatMap((part) => part.steps.map((step, i) => [part.name, part.space, step, part.endless[i] ? "inf" : numbers(part.size)[i], numbers(part.size_error)[i]]))],
  };

  const cone = {
    id: "cone", title: "Cones: samples and their perturbed copies", rotates: true,
    what: (run) => (run.cone ? null : "No table holds the cones of this run."),
    key: () => "",
    digits: (run) => [...new Set(run.cone.digit)].sort((a, b) => a - b),
    words: (run, state) => `At step ${count(run.cone.step)}${run.cone.step === state.step ? "" : ", the only one that was measured"}: three principal components. A large mark is a sample, a small one a copy under noise, pale where its prediction changed. Drag to rotate.`,
    figure(run) {
      const { cone: part } = run, axes = ["c1", "c2", "c3"].map((name) => numbers(part[name]));
      const amplitude = numbers(part.amplitude);
      // Each trace has shaders of its own, which take longest: three for all digits.
      const data = [["sample", 6, 1], ["kept", 2.4, 0.8], ["changed", 2.4, 0.18]].map(([what, size, opacity]) => {
        const chosen = [...part.digit.keys()].filter((i) => (amplitude[i] === 0 ? "sample" : part.kept[i] ? "kept" : "changed") === what);
        const [x, y, z] = axes.map((values) => chosen.map((i) => values[i]));
        return { type: "scatter3d", mode: "markers", x, y, z, text: chosen.map((i) => `${part.digit[i]}, ${what}`), hoverinfo: "text",
          marker: { size, opacity, color: chosen.map((i) => classes[part.digit[i] % classes.length]), line: { width: 0 } } };
      });
      const axis = (text) => ({ title: { text }, nticks: 4 });
      return { data, layout: { height: 340, margin: { l: 0, r: 0, t: 8, b: 0 }, scene: { xaxis: axis("PC 1"), yaxis: axis("PC 2"), zaxis: axis("PC 3"), camera: { eye: { x: 1.5, y: 1.5, z: 0.8 } }, aspectmode: "cube" } } };
    },
    rows({ cone: part }) {
      const [amplitude, c1, c2, c3] = ["amplitude", "c1", "c2", "c3"].map((name) => numbers(part[name]));
      return [["step", "sample", "digit", "amplitude", "c1", "c2", "c3", "kept"], ...part.sample.map((sample, i) => [part.step, sample, part.digit[i], amplitude[i], c1[i], c2[i], c3[i], part.kept[i]])];
    },
  };

  const rpd = {
    id: "rpd", title: "Rank probability distribution of a layer",
    what(run) {
      return run.rpd ? null : "No table holds the rank probability distributions of this run. Its g is their slope.";
    },
    at(run, state) {
      const layers = [...new Set(run.rpd.map((part) => part.layer))];
      const layer = layers.includes(state.layer) ? state.layer : layers[0];
      const parts = run.rpd.filter((part) => part.layer === layer);
      const part = parts.find((each) => each.mode === state.mode) ?? parts[0];
      return { layer, part, index: indexAt(part.steps, state.step) };
    },
    key(run, state) {
      const { layer, part, index } = rpd.at(run, state);
      return `${layer} ${part.mode} ${index}`;
    },
    words(run, state) {
      const { layer, part } = rpd.at(run, state);
      return `${run.place === "site" ? "Site" : "Layer"} ${layer}, ${when(part.steps, state.step)}. Dotted: no alignment.`;
    },
    densities: ({ part, index }) => row(part.density, index, numbers(part.r).length),
    figure(run, state) {
      const at = rpd.at(run, state), { low, step } = at.part.density;
      return { data: [{ x: numbers(at.part.r), y: rpd.densities(at), mode: "lines", line: { color: colours.blue, width: 2, shape: "hvh" }, hovertemplate: "rank %{x:.2f}: %{y:.2f}<extra></extra>" }],
        layout: { xaxis: { title: "rank r", range: [0, 1] }, yaxis: { title: "density", range: [0, 1.05 * Math.max(1, low + 65534 * step)] },
          shapes: [{ type: "line", x0: 0, x1: 1, y0: 1, y1: 1, line: { color: colours.grey, dash: "dot", width: 1 } }] } };
    },
    same(run, state) {
      const { layer, part } = rpd.at(run, state);
      return `${layer} ${part.mode}`;
    },
    restyled: (run, state) => ({ y: [rpd.densities(rpd.at(run, state))] }),
    rows(run, state) {
      const at = rpd.at(run, state), { part, index, layer } = at;
      return [["step", "mode", "layer", "r", "density"], ...[...numbers(part.r)].map((r, i) => [part.steps[index], part.mode, layer, r, rpd.densities(at)[i]])];
    },
  };

  const SPLITS = { train: "training samples", test: "test samples" };
  const pruning = {
    id: "pruning", title: "Accuracy when the L-map replaces all from a layer on",
    what: (run) => (run.pruning ? null : "No table holds this run's accuracies when pruned."),
    key: (run, state) => run.pruning.map((part) => indexAt(part.steps, state.step)).join(" "),
    words(run, state) {
      const [part] = run.pruning, i = indexAt(part.steps, state.step);
      return `${when(part.steps, state.step).replace("at", "At")}: the whole network reaches ${percent(numbers(part.full)[i])} of ${SPLITS[part.split]} (dotted), ${percent(row(part.accuracy, i, part.layers.length)[0])} are left when pruned from ${run.place} ${part.layers[0]} on.`;
    },
    figure(run, state) {
      const colour = { train: colours.black, test: colours.red };
      const data = run.pruning.flatMap((part) => {
        const i = indexAt(part.steps, state.step), full = numbers(part.full)[i];
        return [
          { x: part.layers, y: row(part.accuracy, i, part.layers.length), mode: "lines+markers", name: SPLITS[part.split], line: { color: colour[part.split], width: 1.8 }, marker: { size: 5 }, hovertemplate: `from ${run.place} %{x}: %{y:.1%}<extra></extra>` },
          { x: [part.layers[0], part.layers.at(-1)], y: [full, full], mode: "lines", showlegend: false, hoverinfo: "skip", line: { color: colour[part.split], width: 1, dash: "dot" } },
        ];
      });
      const layers = run.pruning[0].layers;
      return { data, layout: { showlegend: run.pruning.length > 1, xaxis: { title: `pruned from ${run.place}`, range: [layers[0] - 0.6, layers.at(-1) + 0.6], ...(layers.length < 6 ? { dtick: 1 } : {}) }, yaxis: { range: [0, 1.04], tickformat: ".0%", dtick: 0.25 } } };
    },
    same: () => "",
    restyled(run, state) {
      const y = run.pruning.flatMap((part) => {
        const i = indexAt(part.steps, state.step), full = numbers(part.full)[i];
        return [row(part.accuracy, i, part.layers.length), [full, full]];
      });
      return { y };
    },
    rows: (run) => [["step", "split", "start_layer", "accuracy", "full_accuracy"],
      ...run.pruning.flatMap((part) => part.steps.flatMap((step, i) => part.layers.map((layer, j) => [step, part.split, layer, row(part.accuracy, i, part.layers.length)[j], numbers(part.full)[i]])))],
  };

  return [projection, noise, basins, cone, rpd, pruning];
})();
