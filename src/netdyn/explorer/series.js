"use strict";
// Numbers of runs: unpacked from 16 bits, and looked up by step.
const series = (() => {
  const GAP = 65535;
  const unpacked = new WeakMap();

  // A typed array of the numbers; NaN for gaps. Each is unpacked once.
  function numbers(packed) {
    if (!unpacked.has(packed)) {
      const bytes = Uint8Array.from(atob(packed.codes), (c) => c.charCodeAt(0));
      const codes = new DataView(bytes.buffer);
      const values = new Float64Array(bytes.length / 2);
      for (let i = 0; i < values.length; i++) {
        const code = codes.getUint16(2 * i, true);
        values[i] = code === GAP ? NaN : packed.low + packed.step * code;
      }
      unpacked.set(packed, values);
    }
    return unpacked.get(packed);
  }

  // The last of ascending `steps` that is not after `step`; the first if all are.
  function indexAt(steps, step) {
    let low = 0, high = steps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (steps[middle] <= step) low = middle + 1; else high = middle;
    }
    return Math.max(0, low - 1);
  }

  const row = (packed, index, width) => numbers(packed).subarray(index * width, (index + 1) * width);
  function column(packed, index, width) {
    const all = numbers(packed);
    return Float64Array.from({ length: all.length / width }, (_, i) => all[i * width + index]);
  }

  return { numbers, indexAt, row, column };
})();
