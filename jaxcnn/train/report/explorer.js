// The window explorer: `explore` computes, `showExplorer` shows.

/** The output map of the last settings, which moving from cell to cell does not change. */
let known = { key: "", map: [] };

/**
 * One cell of a correlation or a pooling, with all that it came from, and the whole map beside it.
 * settings: layer "correlation", "max" or "mean"; kernel: which one (a pooling: which channel); window: of a pooling;
 * stride, padding, dilation; row, column: the cell.
 */
function explore(settings) {
  const { image, kernels, bias } = facts.explorer;
  const { layer, kernel = 0, window = 2, stride = 1, padding = 0, dilation = 1, row = 0, column = 0 } = settings;
  for (const [name, value, least] of [["Window", window, 1], ["Stride", stride, 1], ["Padding", padding, 0], ["Dilation", dilation, 1]])
    if (!Number.isInteger(value) || value < least) throw new RangeError(`${name} must be a whole number, ${least} or more.`);
  const correlation = layer === "correlation", channels = correlation ? image.map((_, i) => i) : [kernel];
  const asked = { operation: layer, maps: channels.map((i) => image[i]), kernels: correlation ? kernels[kernel] : null, window: [window, window],
    stride, padding, dilation, mode: layer === "max" ? "nothing" : "constant" };
  const laid = windows.axes(asked);
  for (const [i, name] of ["rows", "columns"].entries())
    if (!laid[i].out) throw new RangeError(`The window spans ${laid[i].span} ${name}, but the padded image has ${laid[i].padded}: pad more, or dilate less.`);

  const key = [layer, kernel, window, stride, padding, dilation].join();
  if (key !== known.key) known = { key, map: windows.output(asked, laid) };
  if (known.map.flat().includes(-Infinity)) throw new RangeError("A window lies wholly in the padding, so that nothing can win: pad less than the window.");
  const added = correlation ? bias[kernel] : 0, map = known.map.map((line) => line.map((value) => value + added));
  const place = { row: clamp(row, 0, laid[0].out - 1), column: clamp(column, 0, laid[1].out - 1) };
  const taps = windows.terms(asked, place.row, place.column, laid), { sum, winner, value } = windows.value(asked, taps);
  return { rows: laid[0].out, columns: laid[1].out, map, ...place, height: laid[0].window, width: laid[1].window, channels, taps, sum, winner, bias: added, value: value + added };
}

function showExplorer() {
  const box = section("explorer");
  if (!facts.explorer) return box.append(lead("The explorer is for images with two axes; those of this run have others."));
  const { image, kernels, cut } = facts.explorer, size = { rows: image[0].length, columns: image[0][0].length };
  box.append(lead(`Choose a cell of the output and see the window of the image that it came from. The image is the one above${cut ? ", of which the middle is taken" : ""}; the kernels are those that C1 learnt. `
    + "Tap the output, or go to it with Tab and move by the arrow keys, Home and End."));

  const number = (name, least, most, value) => element("input", { type: "number", id: `x-${name}`, name, min: least, max: most, step: 1, value, inputmode: "numeric" });
  const choice = (name, options) => element("select", { id: `x-${name}`, name }, ...options.map(([value, text]) => element("option", { value }, text)));
  const labelled = (text, control, wide) => element("label", { for: control.id, class: wide ? "wide" : "" }, text, control);
  const inputs = {
    layer: choice("layer", [["correlation", "Correlation"], ["max", "Max pooling"], ["mean", "Mean pooling"]]),
    kernel: choice("kernel", []),
    window: number("window", 1, 12, 2), stride: number("stride", 1, 12, 1), padding: number("padding", 0, 12, 2), dilation: number("dilation", 1, 12, 1),
    row: number("row", 0, 99, 0), column: number("column", 0, 99, 0),
  };
  const kernelLabel = labelled("Kernel", inputs.kernel, true), windowLabel = labelled("Window", inputs.window);
  const form = element("form", { class: "controls", "aria-label": "Settings of the explorer" }, labelled("Layer", inputs.layer, true), kernelLabel, windowLabel,
    labelled("Stride", inputs.stride), labelled("Padding", inputs.padding), labelled("Dilation", inputs.dilation), labelled("Output row", inputs.row), labelled("Output column", inputs.column));
  const source = element("canvas", { role: "img", id: "x-input" });
  const target = element("canvas", { role: "application", id: "x-output", tabindex: 0, "aria-describedby": "x-answer" });
  const captions = [element("figcaption"), element("figcaption")];
  const answer = element("output", { id: "x-answer", "aria-live": "polite" }), frame = element("div", { class: "answer" }, answer);
  const sums = element("div", { class: "sums" });
  const boards = element("div", { class: "boards" }, element("figure", { class: "board" }, captions[0], source), element("figure", { class: "board" }, captions[1], target));
  box.append(form, boards, frame, sums);

  let state = null, cell = 10;

  function readSettings() {
    const settings = { layer: inputs.layer.value };
    for (const name of Object.keys(inputs)) if (name !== "layer") settings[name] = inputs[name].value === "" ? NaN : Number(inputs[name].value);
    for (const name of ["row", "column"]) settings[name] = Number.isInteger(settings[name]) ? settings[name] : 0;
    return settings;
  }

  function offerKernels() {
    const correlation = inputs.layer.value === "correlation", count = correlation ? kernels.length : image.length;
    kernelLabel.firstChild.data = correlation ? "Kernel" : "Channel";
    windowLabel.hidden = correlation;
    inputs.kernel.replaceChildren(...Array.from({ length: count }, (_, i) => element("option", { value: i }, correlation ? `of map ${i + 1}` : `${i + 1} of ${count}`)));
  }

  /** Give a canvas as many sharp pixels as its rows and columns take. */
  function sized(canvas, rows, columns, side) {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.ceil(columns * side * ratio);
    canvas.height = Math.ceil(rows * side * ratio);
    canvas.style.width = `${columns * side}px`;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    return context;
  }

  function outlined(context, x, y, width, height, style, thickness) {
    context.strokeStyle = style;
    context.lineWidth = thickness;
    context.strokeRect(x + thickness / 2, y + thickness / 2, width - thickness, height - thickness);
  }

  const extremes = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
  const shade = (value, [low, high]) => (value - low) / (high - low || 1);

  function drawSource(settings) {
    const { padding } = settings, rows = size.rows + 2 * padding, columns = size.columns + 2 * padding;
    const side = clamp(Math.floor(boards.firstChild.clientWidth / Math.max(rows, columns)), 3, 22), context = sized(source, rows, columns, side);
    const channel = state.channels.length > 1 ? null : state.channels[0];
    const shown = (r, c) => (channel === null ? image.reduce((sum, map) => sum + map[r][c], 0) / image.length : image[channel][r][c]);
    const [low, high] = extremes(image.flat(2)), range = low >= 0 && high <= 1 ? [0, 1] : [low, high];
    const [empty, hatch, blue, orange] = ["--card", "--hatch", "--window", "--pick"].map((name) => css(colour(name)));
    for (let r = -padding; r < size.rows + padding; r++) for (let c = -padding; c < size.columns + padding; c++) {
      const inside = r >= 0 && r < size.rows && c >= 0 && c < size.columns, x = (c + padding) * side, y = (r + padding) * side;
      context.fillStyle = inside ? css(grey(shade(shown(r, c), range))) : empty;
      context.fillRect(x, y, side, side);
      if (inside) continue;
      context.strokeStyle = hatch;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(x, y + side);
      context.lineTo(x + side, y);
      context.stroke();
    }
    for (const tap of state.taps) {
      const x = (tap.column + padding) * side, y = (tap.row + padding) * side;
      context.globalAlpha = 0.3;
      context.fillStyle = blue;
      context.fillRect(x, y, side, side);
      context.globalAlpha = 1;
      outlined(context, x, y, side, side, blue, Math.max(1, side / 9));
    }
    if (state.winner) outlined(context, (state.winner.column + padding) * side, (state.winner.row + padding) * side, side, side, orange, Math.max(2, side / 4));
    captions[0].replaceChildren(element("b", {}, "Input"), ` ${size.rows} × ${size.columns}${padding ? `, padded to ${rows} × ${columns}` : ""}`);
    source.setAttribute("aria-label", `The image with the window of ${state.height} × ${state.width} cells that the chosen cell came from`);
  }

  function drawTarget() {
    cell = clamp(Math.floor(boards.lastChild.clientWidth / Math.max(state.rows, state.columns)), 3, 22);
    const context = sized(target, state.rows, state.columns, cell), range = extremes(state.map.flat());
    state.map.forEach((line, r) => line.forEach((value, c) => {
      context.fillStyle = css(heat(shade(value, range)));
      context.fillRect(c * cell, r * cell, cell, cell);
    }));
    outlined(context, state.column * cell - 1, state.row * cell - 1, cell + 2, cell + 2, css(colour("--pick")), Math.max(2, cell / 5));
    captions[1].replaceChildren(element("b", {}, "Output"), ` ${state.rows} × ${state.columns}, from ${fixed(range[0], 3)} to ${fixed(range[1], 3)}`);
    target.setAttribute("aria-label", `Output of ${state.rows} × ${state.columns} cells; the arrow keys move the chosen one`);
  }

  function cellTable(title, taps, show, paint) {
    const rows = Array.from({ length: state.height }, (_, u) => element("tr", {}, ...taps.slice(u * state.width, (u + 1) * state.width).map((tap) => {
      const cell = element("td", { class: [tap.kind === "cell" ? "" : "pad", tap === state.winner ? "winner" : ""].join(" ").trim() }, fixed(show(tap), 2));
      if (paint) paint(cell, show(tap));
      return cell;
    })));
    return element("div", {}, element("h3", {}, title), scrolling(title, element("table", { class: "cells" }, element("tbody", {}, ...rows))));
  }

  function tint(most) {
    return (cell, value) => {
      const rgb = value < 0 ? "--wrong" : "--right";
      if (value && most) cell.style.backgroundColor = `rgba(var(${rgb}), ${(0.6 * Math.abs(value) / most).toFixed(3)})`;
    };
  }

  function showSums(settings) {
    const made = [], correlation = settings.layer === "correlation", each = state.height * state.width;
    const most = (show) => Math.max(...state.taps.map((tap) => Math.abs(show(tap))));
    state.channels.forEach((channel, i) => {
      const taps = state.taps.slice(i * each, (i + 1) * each), which = state.channels.length > 1 ? ` of channel ${channel + 1}` : "";
      made.push(cellTable(`Window${which}`, taps, (tap) => tap.value));
      if (!correlation) return;
      made.push(cellTable(`Kernel${which}`, taps, (tap) => tap.weight, tint(most((tap) => tap.weight))));
      made.push(cellTable(`Products${which}`, taps, (tap) => tap.product, tint(most((tap) => tap.product))));
    });
    sums.replaceChildren(...made);
  }

  function sentence(settings) {
    const where = `Row ${state.row}, column ${state.column}: `, count = state.taps.length, inside = state.taps.filter((tap) => tap.kind === "cell").length;
    if (settings.layer === "max") return `${where}the greatest of ${plural(inside, "cell")} is ${fixed(state.value, 5)}, found at row ${state.winner.row}, column ${state.winner.column} of the image.`;
    if (settings.layer === "mean") return `${where}sum ${fixed(state.sum, 5)} / ${plural(count, "cell")} = ${fixed(state.value, 5)}.`;
    const bias = `${state.bias < 0 ? "\u2212" : "+"} ${fixed(Math.abs(state.bias), 5)}`;
    return `${where}sum of the products ${fixed(state.sum, 5)} ${bias} (bias) = ${fixed(state.value, 5)}, before the activation.`;
  }

  function update() {
    const settings = readSettings();
    try {
      state = explore(settings);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      frame.classList.add("refused");
      answer.textContent = error.message;
      state = null;
      boards.hidden = sums.hidden = true;
      return;
    }
    frame.classList.remove("refused");
    boards.hidden = sums.hidden = false;
    [inputs.row.value, inputs.column.value] = [state.row, state.column];
    [inputs.row.max, inputs.column.max] = [state.rows - 1, state.columns - 1];
    drawSource(settings);
    drawTarget();
    showSums(settings);
    answer.textContent = sentence(settings);
  }

  /** Move to a cell; one beyond the edge is the nearest inside. */
  function choose(row, column) {
    [inputs.row.value, inputs.column.value] = [Math.max(0, row), Math.max(0, column)];
    update();
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => {
    if (event.target === inputs.layer) {
      offerKernels();
      const pooling = inputs.layer.value !== "correlation";
      [inputs.stride.value, inputs.padding.value, inputs.dilation.value] = pooling ? [inputs.window.value, 0, 1] : [1, 2, 1];
    }
    // While a row or column is typed, an empty or unfinished number must stay as it is.
    if (event.target.value !== "") update();
  });
  target.addEventListener("keydown", (event) => {
    if (!state || event.ctrlKey || event.metaKey || event.altKey) return;
    const { row, column } = state;
    const moves = { ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1], Home: [row, 0], End: [row, state.columns - 1] };
    if (!(event.key in moves)) return;
    event.preventDefault();
    choose(...moves[event.key]);
  });
  const point = (event) => {
    const bounds = target.getBoundingClientRect();
    choose(Math.floor((event.clientY - bounds.top) / cell), Math.floor((event.clientX - bounds.left) / cell));
  };
  target.addEventListener("pointerdown", point);
  target.addEventListener("pointermove", (event) => event.buttons && point(event));

  offerKernels();
  update();
  if (state) {
    // The greatest cell of the map tells more than a corner.
    const cells = state.map.flat(), most = cells.indexOf(Math.max(...cells));
    choose(Math.floor(most / state.columns), most % state.columns);
  }
  painted(update);
  let drawn = boards.clientWidth;
  new ResizeObserver(() => {
    if (boards.clientWidth && boards.clientWidth !== drawn) update();
    drawn = boards.clientWidth;
  }).observe(boards);
}

showExplorer();
window.jaxcnnReport = { explore, facts };
