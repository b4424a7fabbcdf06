"use strict";
// A page of panels that do not change.
(() => {
  const drawn = (number) => document.getElementById(`plot-${number}`);
  const drawAll = () => page.data.forEach((panel, number) => {
    if (panel.figure) page.soon(drawn(number), () => page.draw(drawn(number), panel.figure));
  });
  for (const button of document.querySelectorAll(".download")) {
    const panel = page.data[button.dataset.panel];
    button.addEventListener("click", () => page.save(`${page.slug(panel.title)}.csv`, panel.csv));
  }
  for (const details of document.querySelectorAll(".numbers")) {
    const panel = page.data[details.dataset.panel];
    details.addEventListener("toggle", () => {
      if (details.open && !details.querySelector(".scroll")) details.append(page.table(panel.csv, panel.title));
    });
  }
  page.switchTheme(drawAll);
  drawAll();
})();
