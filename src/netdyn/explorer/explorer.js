"use strict";
// The explorer: which runs, which step; every panel follows. The address keeps the state.
(() => {
  const { runs } = page.data;
  const { element, idOf, nameOf } = tables;
  const panels = [...timePanels, ...samplePanels];
  const byId = (id) => document.getElementById(id);
  const PLAY_STEPS = 8; // a second

  // The deepest network first: its story is the longest.
  const depth = (run) => Math.max(0, ...Object.values(run.gradient ?? {}).map((part) => part.layers.length));
  const deepest = runs.reduce((best, run) => (depth(run) > depth(best) ? run : best), runs[0]);
  const state = { run: idOf(deepest), beside: "", mode: "evaluation", layer: 1, step: null };
  const runOf = (id) => runs.find((run) => idOf(run) === id);
  const shownRuns = () => [runOf(state.run), runOf(state.beside)].filter(Boolean);
  let steps = [], sections = [];

  const stepsOf = (run) => run.history?.steps ?? shared.gradientOf(run, state.mode).part?.steps ?? [0];
  const storyOf = (run) => run.landmarks?.[state.mode] ?? run.landmarks?.evaluation;

  // ---- The address: #run=deep23/0&beside=&mode=evaluation&layer=1&step=31
  function readAddress() {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const name of ["run", "beside"]) {
      if (given.has(name) && (runOf(given.get(name)) || (name === "beside" && !given.get(name)))) state[name] = given.get(name);
    }
    if (["evaluation", "training"].includes(given.get("mode"))) state.mode = given.get("mode");
    for (const name of ["layer", "step"]) {
      if (/^\d+$/.test(given.get(name) ?? "")) state[name] = Number(given.get(name));
    }
  }
  function writeAddress() {
    const address = new URLSearchParams(Object.entries(state).filter(([, value]) => value !== ""));
    history.replaceState(null, "", `#${address.toString().replaceAll("%2F", "/")}`);
  }

  // ---- Panels of the chosen runs
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const section = sections.find((each) => each.node === entry.target);
      if (!section) continue;
      section.visible = entry.isIntersecting;
      if (section.visible) refresh(section);
    }
  }, { rootMargin: "80px" });

  function build() {
    const chosen = shownRuns();
    for (const section of sections) {
      observer.unobserve(section.node);
      if (section.plot) Plotly.purge(section.plot);
    }
    const parent = byId("panels");
    parent.replaceChildren();
    parent.classList.toggle("pair", chosen.length > 1);
    sections = panels.flatMap((panel) => chosen.map((run) => newSection(panel, run, chosen.length > 1)));
    // Of one run, what is missing comes last; of two, panels stand side by side.
    if (chosen.length === 1) sections.sort((a, b) => Number(a.missing !== null) - Number(b.missing !== null));
    parent.append(...sections.map((section) => section.node));
    parent.append(tables.seeds(chosen, storyOf, (run) => change({ run: idOf(run) })), ...chosen.filter((run) => run.seed !== null).map(tables.claims));
    for (const section of sections) observer.observe(section.node);
    choices(chosen);
  }

  function newSection(panel, run, pair) {
    const missing = panel.what(run, state), id = `${panel.id}-${idOf(run).replace(/\W/g, "-")}`;
    const words = element("p", { id: `words-${id}` }, missing ?? "");
    const heading = element("h2", { id: `title-${id}` }, panel.title);
    if (pair) heading.append(element("span", { class: "of" }, ` ${nameOf(run)}`));
    const node = element("section", { class: `panel${missing === null ? "" : " missing"}`, "data-panel": panel.id, "data-run": idOf(run), "aria-labelledby": `title-${id}` }, heading, words);
    const section = { panel, run, node, words, missing, visible: false, drawn: null, plot: null };
    if (missing !== null) return section;
    section.stage = node.appendChild(element("div", { class: "stage" }));
    if (panel.layers) node.append(layerKey(run, panel));
    if (panel.digits) node.append(digitKey(panel.digits(run)));
    const tools = node.appendChild(element("div", { class: "tools" }));
    const download = tools.appendChild(element("button", { type: "button", class: "download", "aria-label": `Download the data of ${panel.title}, ${nameOf(run)}, as CSV` }, "CSV"));
    const csv = () => panel.rows(run, state).map((row) => row.map(cellText).join(",")).join("\n") + "\n";
    download.addEventListener("click", () => page.save(`${page.slug(`${nameOf(run)} ${panel.id}`)}.csv`, csv()));
    if (panel.rotates) tools.append(...rotation(section));
    const details = tools.appendChild(element("details", { class: "numbers" }, element("summary", {}, "Numbers")));
    section.numbers = () => {
      details.querySelector(".scroll")?.remove();
      if (details.open) details.append(page.table(atStep(csv(), panel), panel.title));
    };
    details.addEventListener("toggle", section.numbers);
    return section;
  }

  const cellText = (value) => (typeof value === "number" ? (Number.isFinite(value) ? `${Number(value.toPrecision(6))}` : "") : `${value ?? ""}`);

  // The rows of the last step that is not after the one shown, where rows have steps.
  function atStep(csv) {
    const [head, ...rows] = csv.trimEnd().split("\n"), place = head.split(",").indexOf("step");
    if (place < 0) return csv;
    const stepOf = (row) => Number(row.split(",")[place]);
    const all = [...new Set(rows.map(stepOf))].sort((a, b) => a - b);
    const step = all[series.indexAt(all, state.step)];
    return [head, ...rows.filter((row) => stepOf(row) === step)].join("\n");
  }

  function layerKey(run, panel) {
    const layers = panel.id === "distance" ? run.history.distance.layers : shared.gradientOf(run, state.mode).part.layers;
    const bar = element("span", { class: "bar", role: "presentation" });
    bar.style.background = `linear-gradient(to right, ${page.data.layers.filter((_, i) => i % 7 === 0).map(page.legible).join(", ")})`;
    return element("div", { class: "key" }, `${run.place} ${layers[0]}`, bar, `${layers.at(-1)}`);
  }

  function digitKey(digits) {
    const { classes } = page.data;
    return element("div", { class: "key" }, ...digits.flatMap((digit) => {
      const dot = element("span", { class: "dot", role: "presentation" });
      dot.style.background = page.legible(classes[digit % classes.length]);
      return [dot, `${digit}`];
    }));
  }

  function rotation(section) {
    const turn = (angle) => () => {
      if (!section.plot) return; // not drawn yet
      const { x, y, z } = section.plot._fullLayout.scene.camera.eye;
      Plotly.relayout(section.plot, { "scene.camera.eye": { x: x * Math.cos(angle) - y * Math.sin(angle), y: x * Math.sin(angle) + y * Math.cos(angle), z } });
    };
    const button = (text, label, angle) => {
      const made = element("button", { type: "button", "aria-label": label }, text);
      made.addEventListener("click", turn(angle));
      return made;
    };
    return [button("↺", "Rotate to the left", 0.3), button("↻", "Rotate to the right", -0.3)];
  }

  // Draw what changed of one panel, and put its cursor at the step.
  function refresh(section) {
    const { panel, run } = section;
    if (section.missing !== null || !section.visible) return;
    const words = panel.words(run, state);
    if (section.words.textContent !== words) section.words.textContent = words;
    const numbers = panel.numbersKey?.(run, state) ?? panel.key(run, state);
    if (numbers !== section.counted) {
      section.counted = numbers;
      section.numbers();
    }
    if (section.plot) update(section);
    else page.soon(section.node, () => update(section), panel.rotates);
  }

  function update(section) {
    const key = section.panel.key(section.run, state);
    if (key !== section.drawn) {
      section.drawn = key;
      draw(section);
    }
    placeCursor(section);
    points.paint(section, state);
  }

  function draw(section) {
    const { panel, run } = section, known = section.plot;
    section.plot ??= section.stage.appendChild(element("div", { class: "plot", role: "img", "aria-labelledby": section.node.getAttribute("aria-labelledby"), "aria-describedby": section.words.id }));
    const same = panel.same?.(run, state);
    // To change heights alone costs half of what a whole figure does.
    if (known && same !== undefined && same === section.same) Plotly.restyle(section.plot, panel.restyled(run, state));
    else page.draw(section.plot, panel.figure(run, state));
    section.same = same;
    if (!known && panel.points) {
      section.canvas = section.stage.appendChild(element("canvas", { class: "points", "aria-hidden": "true" }));
      section.plot.on("plotly_afterplot", () => points.paint(section, state));
    }
    if (!known && panel.cursor) {
      section.cursor = section.stage.appendChild(element("div", { class: "cursor" }));
      section.plot.on("plotly_afterplot", () => placeCursor(section));
      section.plot.on("plotly_click", ({ points }) => goTo(points[0].customdata));
    }
  }

  function placeCursor({ panel, run, plot, cursor }) {
    const axes = plot?._fullLayout;
    if (!cursor || !axes?.xaxis) return;
    const x = axes.xaxis.d2p(shared.timeAxis(run).place(Math.min(state.step, stepsOf(run).at(-1))));
    const inside = x >= -1 && x <= axes.xaxis._length + 1;
    cursor.style.cssText = inside ? `transform: translateX(${axes.xaxis._offset + x}px); top: ${axes.yaxis._offset}px; height: ${axes.yaxis._length}px` : "display: none";
  }

  // ---- Controls
  function choices(chosen) {
    const layers = [...new Set(chosen.flatMap((run) => shared.gradientOf(run, state.mode).part?.layers ?? []))].sort((a, b) => a - b);
    if (layers.length && !layers.includes(state.layer)) state.layer = layers[0];
    byId("layer").replaceChildren(...layers.map((layer) => element("option", { value: layer }, `${layer}`)));
    steps = [...new Set(chosen.flatMap(stepsOf))].sort((a, b) => a - b);
    byId("step").max = steps.length - 1;
    if (state.step === null) state.step = storyOf(chosen[0])?.test ?? steps.at(-1);
    moments(chosen);
  }

  function moments(chosen) {
    const made = chosen.flatMap((run) => {
      const { train, test, best, first, second } = storyOf(run) ?? {};
      const named = [["training 80 %", train], ["test 80 %", test], ["best test", best?.[0]], ["phase I", first?.[0]], ["phase II", second?.[0]]];
      const buttons = named.filter(([, step]) => Number.isInteger(step)).map(([text, step]) => {
        const button = element("button", { type: "button", class: "moment" }, `${text}: ${shared.count(step)}`);
        button.addEventListener("click", () => goTo(step));
        return button;
      });
      return chosen.length > 1 ? [element("span", { class: "of" }, nameOf(run)), ...buttons] : buttons;
    });
    byId("landmarks").replaceChildren(...made);
  }

  function showControls() {
    byId("run").value = state.run;
    byId("beside").value = state.beside;
    byId("mode").value = state.mode;
    byId("layer").value = state.layer;
    const index = series.indexAt(steps, state.step), slider = byId("step");
    slider.value = index;
    slider.setAttribute("aria-valuetext", `step ${shared.count(state.step)}`);
    byId("shown").textContent = `${shared.count(state.step)} of ${shared.count(steps.at(-1))}`;
  }

  // What the panels say, in a sentence that is read aloud once the slider rests.
  let telling = null;
  function tellStory() {
    clearTimeout(telling);
    telling = setTimeout(() => {
      const said = shownRuns().map((run) => [panels[0], panels[1]].filter((panel) => panel.what(run, state) === null).map((panel) => panel.words(run, state)).join(" "));
      byId("story").textContent = said.map((text, i) => `${nameOf(shownRuns()[i])}: ${text}`).join(" ");
    }, 400);
  }

  function show() {
    showControls();
    for (const section of sections) refresh(section);
    tellStory();
  }

  // The address is written when the slider rests: browsers allow few writes a second.
  let writing = null;
  function keep() {
    clearTimeout(writing);
    writing = setTimeout(writeAddress, 150);
  }

  function goTo(step) {
    state.step = steps[series.indexAt(steps, step)];
    show();
    keep();
  }
  const move = (by) => goTo(steps[Math.min(steps.length - 1, Math.max(0, series.indexAt(steps, state.step) + by))]);

  function change(values) {
    const before = `${state.run} ${state.beside}`;
    Object.assign(state, values);
    if (state.beside === state.run) state.beside = "";
    if (`${state.run} ${state.beside}` !== before || "mode" in values || !sections.length) build();
    goTo(state.step);
  }

  // ---- Play
  let playing = null;
  function play(on) {
    clearInterval(playing);
    playing = null;
    if (on) {
      if (state.step === steps.at(-1)) goTo(steps[0]);
      playing = setInterval(() => (state.step === steps.at(-1) ? play(false) : move(1)), 1000 / PLAY_STEPS);
    }
    byId("play").textContent = on ? "Pause" : "Play";
    byId("play").setAttribute("aria-pressed", String(on));
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, summary, .scroll")) return;
    const onButton = event.target.closest("button");
    const far = event.shiftKey ? 10 : 1;
    const moves = { ArrowLeft: () => move(-far), ArrowRight: () => move(far), Home: () => goTo(steps[0]), End: () => goTo(steps.at(-1)) };
    if (event.key === " " && !onButton) play(playing === null);
    else if (moves[event.key]) { play(false); moves[event.key](); } else return;
    event.preventDefault();
  }

  function start() {
    const option = (run) => element("option", { value: idOf(run) }, nameOf(run));
    byId("run").append(...runs.map(option));
    byId("beside").append(element("option", { value: "" }, "none"), ...runs.map(option));
    readAddress();
    for (const name of ["run", "beside", "mode"]) byId(name).addEventListener("change", (event) => change({ [name]: event.target.value }));
    byId("layer").addEventListener("change", (event) => change({ layer: Number(event.target.value) }));
    byId("step").addEventListener("input", (event) => { play(false); goTo(steps[event.target.value]); });
    byId("play").addEventListener("click", () => play(playing === null));
    byId("controls").addEventListener("submit", (event) => event.preventDefault());
    document.addEventListener("keydown", onKey);
    window.addEventListener("hashchange", () => { readAddress(); build(); goTo(state.step); });
    page.switchTheme(() => { build(); show(); });
    change({});
  }
  start();
})();
