"use strict";
// Tables beside the panels: every seed of the chosen runs, and the claims that a run decides.
const tables = (() => {
  const { runs, thresholds } = page.data;
  const idOf = (run) => `${run.name}/${run.seed}`;
  const nameOf = (run) => (run.seed === null ? run.name : `${run.name}, seed ${run.seed}`);

  function element(kind, attributes = {}, ...children) {
    const made = document.createElement(kind);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  function seeds(chosen, storyOf, choose) {
    const alike = runs.filter((run) => chosen.some((each) => each.group === run.group) && run.landmarks);
    const node = element("section", { class: "panel wide", "aria-labelledby": "title-seeds" }, element("h2", { id: "title-seeds" }, "Every seed"),
      element("p", {}, `Phase I: g falls with depth; phase II: g rises with depth; phase III: the g of all layers but the last have come together, their spread at the end at most ${100 * thresholds.spread_share} % of its largest in phase II. Choose a run to see it.`));
    const head = ["run", "training ≥ 80 % at step", "test ≥ 80 % at step", "best test", "phase I, steps", "phase II, steps", "spread at the end, without the last layer", "without the last three", "phase III"];
    const table = element("table", { id: "seeds" }, element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))));
    const body = table.appendChild(element("tbody"));
    for (const run of alike) {
      const { train, test, best, first, second, shares } = storyOf(run);
      const whole = (value) => (value === null ? "never" : shared.count(value));
      const range = (value) => (value === null ? "none" : value[0] === value[1] ? shared.count(value[0]) : `${shared.count(value[0])} to ${shared.count(value[1])}`);
      const share = (value) => (value === null || value === undefined ? "–" : `${Math.round(100 * value)} %`);
      const third = shares === null ? "–" : shares[0] <= thresholds.spread_share ? "yes" : shares[1] !== null && shares[1] <= thresholds.spread_share ? "but for the last three layers" : "no";
      const button = element("button", { type: "button", class: "link", ...(chosen.includes(run) ? { "aria-current": "true" } : {}) }, nameOf(run));
      button.addEventListener("click", () => choose(run));
      const name = element("th", { scope: "row" }, button);
      const texts = [whole(train), whole(test), best === null ? "–" : `${shared.percent(best[1])} at step ${shared.count(best[0])}`, range(first), range(second), share(shares?.[0]), share(shares?.[1]), third];
      body.append(element("tr", {}, name, ...texts.map((text) => element("td", {}, text))));
    }
    node.append(element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Every seed" }, table));
    return node;
  }

  function claims(run) {
    const id = `title-claims-${idOf(run).replace(/\W/g, "-")}`;
    const node = element("section", { class: "panel wide", "aria-labelledby": id }, element("h2", { id }, `What ${run.group} decides of the paper's claims`));
    if (!run.claims.length) {
      node.append(element("p", {}, "No scorecard was given, or none of its claims is about this run."));
      return node;
    }
    node.append(element("p", {}, "All seeds together. A mark is a reading of the paper under which the claim was judged, the frozen reading first: ✓ reproduced, ~ partly, ✗ not reproduced; filled on strong evidence, tinted on fair, empty on weak. Choose a claim or a mark for its words."));
    const table = element("table", { class: "claims" }, element("thead", {}, element("tr", {}, ...["claim", "", "verdict", "measured", "readings"].map((text) => element("th", { scope: "col" }, text)))));
    const body = table.appendChild(element("tbody"));
    for (const claim of run.claims) body.append(...rowsOf(claim, run));
    node.append(element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Claims" }, table));
    return node;
  }

  // A claim's row of the multiverse, and below it, once it is chosen, its text and its readings in words.
  function rowsOf(claim, run) {
    const id = `claim-${claim.id}-${idOf(run).replace(/\W/g, "-")}`;
    const words = ({ name, verdict, strength, measured }) => `${name}: ${verdict}${strength ? `, ${strength} evidence` : ""}${measured ? ` (${measured})` : ""}`;
    const items = claim.readings.map((each) => element("li", { tabindex: "-1" }, words(each)));
    const lines = [["The paper", claim.claim], ["Asked", claim.asked], ["Seen", claim.seen]].filter(([, text]) => text);
    const text = element("tr", { id, class: "text", hidden: "" }, element("td", { colspan: "5" },
      ...lines.map(([head, line]) => element("p", {}, element("b", {}, `${head}: `), line)), element("ul", {}, ...items)));
    const opener = element("button", { type: "button", class: "link", "aria-expanded": "false", "aria-controls": id }, claim.id);
    const open = (on) => { text.hidden = !on; opener.setAttribute("aria-expanded", String(on)); };
    opener.addEventListener("click", () => open(text.hidden));
    const marks = claim.readings.map((each, i) => {
      const mark = element("button", { type: "button", class: "mark", "data-verdict": each.verdict, "data-strength": each.strength, title: words(each), "aria-label": `${claim.id} under ${words(each)}` }, SIGNS[each.verdict] ?? "–");
      mark.addEventListener("click", () => { open(true); items[i].focus(); });
      return mark;
    });
    const head = element("th", { scope: "row" }, opener, `, ${claim.where}`);
    return [element("tr", {}, head, element("td", {}, claim.claim), element("td", { class: "verdict" }, claim.verdict), element("td", {}, claim.measured), element("td", { class: "marks" }, ...(marks.length ? marks : ["none"]))), text];
  }
  const SIGNS = { "reproduced": "✓", "partly": "~", "not reproduced": "✗" };

  return { element, idOf, nameOf, seeds, claims };
})();
