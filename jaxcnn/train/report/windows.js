// Windows on a map, and what a layer makes of them, forwards and backwards. Pure functions: no page is read or changed
// here. The report's explorer and the site's playground share this file, and tests hold its numbers against jaxcnn's.
//
// A layer is { operation, maps, kernels, window, stride, padding, mode, dilation, ceil, outputPadding }:
//   operation: "correlation", "transposed", "max" or "mean"; maps: [channel][row][column]; kernels: likewise, one a
//   channel (a pooling has none, but window: [rows, columns]); mode: what lies on the padding, a padding_mode of jaxcnn,
//   where "constant" is zeros, or "nothing", which is no cell at all: it never wins and no mean counts it.
const windows = (() => {
  const range = (count) => Array.from({ length: count }, (_, i) => i);
  const modulo = (a, b) => ((a % b) + b) % b;
  const zerosLike = (maps) => maps.map((map) => map.map((row) => row.map(() => 0)));

  /** Windows along an axis: how many, which cells each sees. `out` is 0 where a window is larger than the padded axis. */
  function axis(size, window, { stride = 1, padding = 0, dilation = 1, ceil = false }) {
    const span = (window - 1) * dilation + 1, padded = size + 2 * padding, room = padded - span;
    const steps = ceil ? Math.ceil(room / stride) : Math.floor(room / stride);
    // In ceil mode the last window is left out if it starts neither on the map nor on its low padding.
    const out = room < 0 ? 0 : ceil && steps * stride >= size + padding ? steps : steps + 1;
    return { size, window, span, padded, steps, out, place: (i, tap) => i * stride + tap * dilation - padding, end: size + padding };
  }

  /** Outputs along an axis of a transposed correlation, and which cell, if any, lays a tap of the kernel on one. */
  function transposedAxis(size, window, { stride = 1, padding = 0, dilation = 1, outputPadding = 0 }) {
    const span = (window - 1) * dilation + 1, whole = (size - 1) * stride + span;
    const cell = (p, tap) => {
      const place = p + padding - tap * dilation, i = place / stride;
      return Number.isInteger(i) && i >= 0 && i < size ? i : null;
    };
    return { size, window, span, whole, out: Math.max(whole - 2 * padding + outputPadding, 0), cell };
  }

  /** The cell of an axis of `size` that stands at a place before it, on it or behind it; null: none of them does. */
  function source(place, size, mode) {
    if (place >= 0 && place < size) return place;
    if (mode === "replicate") return place < 0 ? 0 : size - 1;
    if (mode === "circular") return modulo(place, size);
    if (mode === "reflect" || mode === "symmetric") {
      const back = mode === "symmetric" ? 2 * size - 1 : 2 * size - 2; // where cell 0 stands again, on the way back
      const there = modulo(place, mode === "symmetric" ? back + 1 : Math.max(back, 1));
      return Math.min(there, back - there);
    }
    return null;
  }

  const windowOf = ({ kernels, window }) => (kernels ? [kernels[0].length, kernels[0][0].length] : window);

  /** The layer's two axes: down, across. */
  function axes(layer) {
    const sides = [layer.maps[0].length, layer.maps[0][0].length], lay = layer.operation === "transposed" ? transposedAxis : axis;
    return windowOf(layer).map((window, i) => lay(sides[i], window, layer));
  }

  /**
   * All that one output is made of, in row-major order of the window:
   * { channel, row, column, u, v, kind, at, value, weight, product }: tap (u, v) sees place (row, column), which is a cell of
   * the map, of its padding, or beyond; at: [row, column] of the map's cell whose value stands there, or null.
   */
  function terms(layer, i, j, [down, across] = axes(layer)) {
    const { operation, maps, kernels, mode = "constant" } = layer, found = [];
    maps.forEach((map, channel) => range(down.window).forEach((u) => range(across.window).forEach((v) => {
      const weight = kernels ? kernels[channel][u][v] : 1;
      const add = (row, column, kind, at, value) => found.push({ channel, row, column, u, v, kind, at, value, weight, product: value * weight });
      if (operation === "transposed") {
        const [row, column] = [down.cell(i, u), across.cell(j, v)];
        if (row !== null && column !== null) add(row, column, "cell", [row, column], map[row][column]);
        return;
      }
      const [row, column] = [down.place(i, u), across.place(j, v)];
      const beyond = row >= down.end || column >= across.end; // only in ceil mode
      const inside = row >= 0 && row < down.size && column >= 0 && column < across.size;
      const at = beyond ? null : [source(row, down.size, mode), source(column, across.size, mode)];
      const real = at !== null && !at.includes(null);
      add(row, column, inside ? "cell" : beyond ? "beyond" : "padding", real ? at : null, real ? map[at[0]][at[1]] : 0);
    })));
    return found;
  }

  const counts = (mode) => (term) => term.kind === "cell" || (term.kind === "padding" && mode !== "nothing");

  /** What a layer makes of an output's terms: { value, sum, counted, winner }, counted and winner of a pooling. */
  function value(layer, found) {
    const { operation, mode = "constant" } = layer, counted = found.filter(counts(mode));
    if (operation === "max") {
      // ">=" keeps the first of equal cells; NaN has no place in these maps.
      const winner = counted.reduce((best, term) => (best && best.value >= term.value ? best : term), null);
      return { value: winner ? winner.value : -Infinity, winner, counted };
    }
    const sum = found.reduce((total, term) => total + term.product, 0);
    return operation === "mean" ? { value: sum / counted.length, sum, counted } : { value: sum, sum };
  }

  /** The whole output: [row][column]. */
  function output(layer, laid = axes(layer)) {
    return range(laid[0].out).map((i) => range(laid[1].out).map((j) => value(layer, terms(layer, i, j, laid)).value));
  }

  /**
   * The way back: what outputs with these cotangents, [row][column], give to each cell of the maps and of the kernels.
   * A cell of the padding that copies one of the map hands its gradient on to it; what falls on other padding is lost.
   */
  function gradients(layer, cotangents, laid = axes(layer)) {
    const { operation, maps, kernels } = layer, map = zerosLike(maps), kernel = kernels ? zerosLike(kernels) : null;
    let lost = 0;
    cotangents.forEach((line, i) => line.forEach((cotangent, j) => {
      if (!cotangent) return;
      const found = terms(layer, i, j, laid), { winner, counted } = value(layer, found);
      const share = (term) => (operation === "max" ? Number(term === winner) : operation === "mean" ? Number(counted.includes(term)) / counted.length : term.weight);
      for (const term of found) {
        if (kernel) kernel[term.channel][term.u][term.v] += cotangent * term.value;
        if (term.at) map[term.channel][term.at[0]][term.at[1]] += cotangent * share(term);
        else if (counted?.length) lost += cotangent * share(term);
      }
      if (counted?.length === 0) lost += cotangent; // a window without any cell
    }));
    return { maps: map, kernels: kernel, lost };
  }

  return { axes, source, terms, value, output, gradients, range };
})();
