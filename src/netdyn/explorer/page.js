"use strict";
// What all pages share: themed figures, downloads and text tables.
const page = (() => {
  const ROWS_SHOWN = 200;
  const data = JSON.parse(document.getElementById("data").textContent);
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const channels = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => c / 255).map((c) => (c <= 0.04 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const lightened = new Map();

  // A colour of the light page as a dark one shows it: mixed with white until it stands out.
  function legible(colour) {
    if (!theme.dark() || !/^#[0-9a-f]{6}$/i.test(colour)) return colour;
    if (!lightened.has(colour)) {
      const ground = luminance(channels(style("--card")));
      let rgb = channels(colour);
      while (contrast(luminance(rgb), ground) < 3.5) rgb = rgb.map((c) => Math.min(255, Math.ceil(c + (255 - c) * 0.12 + 1)));
      lightened.set(colour, "#" + rgb.map((c) => c.toString(16).padStart(2, "0")).join(""));
    }
    return lightened.get(colour);
  }

  function recoloured(value, key = "") {
    if (typeof value === "string") return /color$/i.test(key) ? legible(value) : value;
    if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map((each) => recoloured(each, key));
    if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, recoloured(each, name)]));
  }

  function axis(given) {
    const line = style("--line");
    return { gridcolor: style("--grid"), linecolor: line, zerolinecolor: line, zeroline: false, ticks: "outside",
      tickcolor: line, ticklen: 4, showline: true, automargin: true, ...given,
      title: { standoff: 6, ...(typeof given?.title === "string" ? { text: given.title } : given?.title) } };
  }

  function layout(given) {
    const ink = style("--ink");
    const full = { height: 260, margin: { l: 44, r: 10, t: 8, b: 36 }, showlegend: false, hovermode: "closest",
      ...recoloured(given), autosize: true,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, DejaVu Sans, sans-serif", size: 11.5, color: ink },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: style("--line"), activecolor: ink },
      hoverlabel: { bgcolor: style("--card"), bordercolor: style("--line"), font: { color: ink } } };
    full.legend = { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", bgcolor: "rgba(0,0,0,0)", ...full.legend };
    for (const name of new Set(["xaxis", "yaxis", ...Object.keys(full).filter((key) => /^[xy]axis\d*$/.test(key))])) {
      full[name] = axis(full[name]);
    }
    for (const name of Object.keys(full).filter((key) => /^scene\d*$/.test(key))) {
      full[name] = { ...full[name] };
      for (const each of ["xaxis", "yaxis", "zaxis"]) {
        full[name][each] = { gridcolor: style("--line"), zerolinecolor: style("--line"), showbackground: false, ...full[name][each] };
      }
    }
    return full;
  }

  // Where nothing hovers the bar would always stand before the curves.
  const bar = matchMedia("(hover: hover)").matches ? "hover" : false;
  const config = { displayModeBar: bar, displaylogo: false, responsive: true, plotlyServerURL: "",
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d", "sendDataToCloud"] };

  // What draws figures is large: the words of a page are shown before it is read. Figures are then drawn one
  // by one, so that the page answers between them, and last those that take long; one that was asked for twice
  // is drawn once.
  const waiting = new Map();
  let ready = false, busy = false;
  function soon(element, draw, takesLong = false) {
    waiting.set(element, { draw, takesLong });
    next();
  }
  function next() {
    if (!ready || busy || !waiting.size) return;
    busy = true;
    setTimeout(() => {
      busy = false;
      const [element, { draw }] = [...waiting].find(([, { takesLong }]) => !takesLong) ?? [...waiting][0];
      waiting.delete(element);
      if (element.isConnected) {
        draw();
        if (!performance.getEntriesByName("first figure").length) performance.mark("first figure");
      }
      if (!waiting.size) performance.mark("all figures");
      next();
    });
  }
  function load() {
    const script = document.createElement("script");
    script.textContent = document.getElementById("plotly").textContent;
    document.head.append(script);
    ready = true;
    next();
  }
  window.addEventListener("load", () => setTimeout(load, 30));

  // Draw a figure, or draw it anew: what did not change is kept.
  function draw(element, figure) {
    return Plotly.react(element, recoloured(figure.data), layout(figure.layout ?? {}), config);
  }

  function save(name, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  const slug = (title) => title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "data";

  // Fields of CSV; quotes are doubled within quotes.
  function parse(csv) {
    const rows = [[]];
    for (const [, field, end] of csv.matchAll(/("(?:[^"]|"")*"|[^,\n]*)(,|\n|$)/g)) {
      rows.at(-1).push(field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field);
      if (end === "\n") rows.push([]);
      if (end === "") break;
    }
    return rows.filter((row) => row.length > 1 || row[0]);
  }

  function cell(kind, text) {
    const element = document.createElement(kind);
    element.textContent = text;
    return element;
  }

  function table(csv, caption) {
    const [head, ...rows] = parse(csv);
    const box = document.createElement("div");
    box.className = "scroll";
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", `Numbers of ${caption}`);
    const element = box.appendChild(document.createElement("table"));
    const line = element.createTHead().insertRow();
    line.append(...head.map((text) => cell("th", text)));
    line.querySelectorAll("th").forEach((each) => each.setAttribute("scope", "col"));
    const body = element.createTBody();
    for (const row of rows.slice(0, ROWS_SHOWN)) body.insertRow().append(...row.map((text) => cell("td", text)));
    if (rows.length > ROWS_SHOWN) box.append(cell("p", `The first ${ROWS_SHOWN} of ${rows.length.toLocaleString("en")} rows: the CSV has all.`));
    return box;
  }

  // The switch between light and dark; `redraw` draws every figure again.
  function switchTheme(redraw) {
    const button = document.getElementById("theme");
    const apply = () => {
      theme.apply();
      button.textContent = theme.dark() ? "Light" : "Dark";
      button.setAttribute("aria-label", `Switch to ${theme.dark() ? "light" : "dark"} colours`);
      lightened.clear();
    };
    button.addEventListener("click", () => {
      theme.chosen = theme.dark() ? "light" : "dark";
      try { window.localStorage.setItem("netdyn-theme", theme.chosen); } catch { /* not kept */ }
      apply();
      redraw();
    });
    theme.system.addEventListener("change", () => { apply(); redraw(); });
    apply();
  }

  return { data, draw, layout, soon, legible, parse, save, slug, style, switchTheme, table };
})();
