"use strict";
const points = (() => {
  // Samples of a step, drawn over the axes of a figure: as parts of the figure they would take too long.
  function paint({ panel, run, plot, canvas }, state) {
    const axes = plot?._fullLayout;
    if (!canvas || !axes?.xaxis) return;
    const { xaxis, yaxis } = axes, scale = devicePixelRatio, [width, height] = [xaxis._length, yaxis._length];
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.cssText = `left: ${xaxis._offset}px; top: ${yaxis._offset}px; width: ${width}px; height: ${height}px`;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    canvas.groups = panel.points(run, state);
    for (const { x, y, colour, cross, size, opacity } of canvas.groups) {
      pen.fillStyle = pen.strokeStyle = page.legible(colour);
      pen.globalAlpha = opacity;
      pen.lineWidth = 1.2;
      for (let i = 0; i < x.length; i++) {
        const [h, v] = [xaxis.d2p(x[i]), yaxis.d2p(y[i])];
        pen.beginPath();
        if (cross) {
          pen.moveTo(h - size, v - size); pen.lineTo(h + size, v + size);
          pen.moveTo(h - size, v + size); pen.lineTo(h + size, v - size);
          pen.stroke();
        } else {
          pen.arc(h, v, size, 0, 2 * Math.PI);
          pen.fill();
        }
      }
    }
  }

  return { paint };
})();
