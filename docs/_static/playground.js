// The playground: `<div class="playground" lang="en">` on any page becomes a map, a kernel and what a layer makes of them,
// forwards and backwards. All arithmetic is in windows.js; here it is shown, and hands and keys are heard.
//   data-start="operation=max window=2 stride=2": settings that differ from DEFAULTS
//   data-map="0 1 2 / 3 4 5 / 6 7 8", data-kernel="0 1 / 2 3": numbers in place of the usual ones
//   data-show="window stride": the settings on offer; without it, all of them
"use strict";
(() => {
  const WORDS = {
    en: {
      settings: "Settings", steps: "Steps", forward: "Forward", backward: "Backward",
      operation: "Operation", correlation: "correlation", transposed: "transposed correlation", max: "max pooling", mean: "mean pooling",
      size: "Side of the map", window: "Window", stride: "Stride", padding: "Padding", dilation: "Dilation", outputPadding: "Output padding",
      mode: "On the padding", constant: "zeros", nothing: "nothing (it never counts)", reflect: "reflect", symmetric: "symmetric", replicate: "replicate", circular: "circular",
      ceil: "Ceil mode", whole: "Gradient of the sum of all outputs",
      fillMap: "Map", fillKernel: "Kernel", own: "own numbers", count: "counting", random: "random", edge: "an edge", one: "a single 1", ones: "ones",
      back: "Back", step: "Step", play: "Play", pause: "Pause",
      help: "Arrow keys move within a map, Enter or a digit changes a number of X or K; with a finger, tap it twice. Choose an output, or drag the window.",
      X: (rows, padded) => `map, ${rows} × ${rows}${padded > rows ? `, padded to ${padded} × ${padded}` : ""}`,
      K: (window) => `kernel, ${window} × ${window}`, Y: (rows) => `output, ${rows} × ${rows}`,
      dX: (lost) => `what reaches the map${lost ? `; ${lost} is lost on the padding` : ""}`, dK: () => "what reaches the kernel",
      cell: (row, column) => `row ${row}, column ${column}`, padded: "padding", beyond: "past the end", inWindow: "in the window", winner: "the winner",
      edit: (where) => `New number for ${where}`,
      of: (row, column) => `gradient of Y[${row}, ${column}]`, ofAll: "gradient of the sum of Y",
      from: (row, column) => `, from X[${row}, ${column}]`, phantom: ", from the padding: no cell of the map gets its gradient",
      nobody: ": no cell of the map lies in this window", none: ": no kernel reaches this cell",
      leftOut: "one fewer: the last would start past the map",
      tooLarge: (span, padded) => `The window spans ${span} cells, but the padded map has ${padded}: pad more, or take a smaller window or dilation.`,
      gone: (whole, cut) => `The padding cuts ${cut} of ${whole} cells off, so nothing is left: pad less.`,
    },
    zh: {
      settings: "设置", steps: "步进", forward: "前向", backward: "反向",
      operation: "运算", correlation: "互相关", transposed: "转置卷积", max: "最大汇聚", mean: "平均汇聚",
      size: "特征图边长", window: "窗口", stride: "步幅", padding: "填充", dilation: "空洞率", outputPadding: "输出填充",
      mode: "填充的内容", constant: "零", nothing: "空（不参与计算）", reflect: "反射 reflect", symmetric: "对称 symmetric", replicate: "边缘 replicate", circular: "循环 circular",
      ceil: "向上取整（ceil mode）", whole: "对全部输出之和求梯度",
      fillMap: "特征图", fillKernel: "卷积核", own: "自定数值", count: "依次计数", random: "随机", edge: "一条边缘", one: "单独一个 1", ones: "全 1",
      back: "上一步", step: "下一步", play: "播放", pause: "暂停",
      help: "方向键在图中移动；在 X 或 K 上按回车或直接输入数字即可修改，用手指则点两下。可以选一个输出，也可以拖动窗口。",
      X: (rows, padded) => `特征图，${rows} × ${rows}${padded > rows ? `，填充后 ${padded} × ${padded}` : ""}`,
      K: (window) => `卷积核，${window} × ${window}`, Y: (rows) => `输出，${rows} × ${rows}`,
      dX: (lost) => `传到特征图的梯度${lost ? `；有 ${lost} 落在填充上，丢失了` : ""}`, dK: () => "传到卷积核的梯度",
      cell: (row, column) => `第 ${row} 行第 ${column} 列`, padded: "填充", beyond: "超出末端", inWindow: "在窗口内", winner: "赢家",
      edit: (where) => `${where}的新数值`,
      of: (row, column) => `Y[${row}, ${column}] 的梯度`, ofAll: "Y 的总和的梯度",
      from: (row, column) => `，来自 X[${row}, ${column}]`, phantom: "，来自填充：它的梯度回不到图上",
      nobody: "：窗口里没有图上的格子", none: "：没有卷积核铺到这一格",
      leftOut: "少一个：最后一个窗口的起点已在图外",
      tooLarge: (span, padded) => `窗口跨 ${span} 格，而填充后的图只有 ${padded} 格：请增大填充，或减小窗口或空洞率。`,
      gone: (whole, cut) => `共 ${whole} 格，填充要裁去 ${cut} 格，什么也不剩：请减小填充。`,
    },
  };

  const OPERATIONS = ["correlation", "transposed", "max", "mean"];
  const COPIED = ["reflect", "symmetric", "replicate", "circular"];
  const MODES = { correlation: ["constant", ...COPIED], transposed: [], max: ["nothing", "constant", ...COPIED], mean: ["constant", "nothing", ...COPIED] };
  const SLIDERS = { size: [1, 8], window: [1, 4], stride: [1, 4], padding: [0, 3], dilation: [1, 3], outputPadding: [0, 3] };
  const DEFAULTS = { operation: "correlation", size: 5, window: 3, stride: 1, padding: 0, dilation: 1, outputPadding: 0, mode: "", ceil: false, whole: false };
  const PATTERNS = {
    count: (r, c, side) => r * side + c, ones: () => 1, one: (r, c, side) => Number(r === c && r === Math.floor(side / 2)),
    edge: (r, c, side) => Number(2 * c >= side), random: (r, c) => ((7 * r * r + 3 * r * c + 5 * c * c + 4 * r + 9 * c + 2) % 11) - 3,
  };
  // Of a kernel an edge is where left and right differ.
  const KERNELS = { ...PATTERNS, edge: (r, c, side) => Math.sign(2 * c - side + 1) };
  const LIMIT = 999;

  /** A number as it is shown: two digits behind the point at most, a true minus. */
  const written = (number) => (Number.isFinite(number) ? String(Math.round(number * 100) / 100 + 0) : Number.isNaN(number) ? "NaN" : number > 0 ? "∞" : "-∞").replace("-", "\u2212");
  const factor = (number) => (number < 0 ? `(${written(number)})` : written(number));
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const grid = (side, cell) => windows.range(side).map((r) => windows.range(side).map((c) => cell(r, c)));
  const parsed = (text) => text && text.split("/").map((row) => row.trim().split(/\s+/).map(Number));

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  /** A board of cells that stay where they are while what they show changes; keys walk over those that can be reached. */
  class Board {
    constructor(name, { role = "grid" } = {}) {
      this.name = name;
      this.caption = element("figcaption");
      this.cells = element("div", { role });
      this.figure = element("figure", { "data-board": name }, this.caption, this.cells);
      this.role = role === "grid" ? "gridcell" : "cell";
      this.active = [0, 0];
      this.shape = "";
      this.grid = this.written = []; // cells, and what each of them shows
    }

    /** describe(r, c): { text, label, style, number }; reach: [first, last] row and column within reach of the keys. */
    show(rows, columns, describe, { caption, label, reach = [0, rows - 1] }) {
      this.reach = reach;
      this.caption.replaceChildren(element("b", {}, this.name), ` ${caption}`);
      this.cells.setAttribute("aria-label", label);
      const had = this.cells.contains(document.activeElement);
      if (this.shape !== `${rows},${columns}`) this.lay(rows, columns);
      this.active = this.active.map((place) => clamp(place, ...reach));
      const shown = windows.range(rows).map((r) => windows.range(columns).map((c) => describe(r, c))), numbers = shown.flat().map(({ number }) => Math.abs(number));
      const largest = Math.max(...numbers.filter(Number.isFinite)) || 1;
      shown.forEach((line, r) => line.forEach((one, c) => this.write(r, c, one, Number.isFinite(one.number) ? (0.5 * Math.abs(one.number) / largest).toFixed(2) : "0")));
      if (had && !this.cells.contains(document.activeElement)) this.cellAt(this.active).focus();
    }

    lay(rows, columns) {
      this.shape = `${rows},${columns}`;
      this.cells.style.setProperty("--columns", columns);
      this.grid = windows.range(rows).map((r) => windows.range(columns).map((c) => element("div", { role: this.role, "data-at": `${r},${c}` })));
      this.written = windows.range(rows).map(() => []);
      this.cells.replaceChildren(...this.grid.map((row) => element("div", { role: "row" }, ...row)));
    }

    write(r, c, { text, label, style, number }, tint) {
      const cell = this.grid[r][c], editable = this.role === "gridcell", tab = editable && this.reachable([r, c]) ? (r === this.active[0] && c === this.active[1] ? 0 : -1) : null;
      const key = [text, label, style, tint, number < 0, tab].join("\n");
      if (this.written[r][c] === key || cell.querySelector("input")) return;
      this.written[r][c] = key;
      cell.textContent = text;
      cell.setAttribute("aria-label", label);
      cell.className = [style, text.length > 3 ? "long" : "", number < 0 ? "negative" : ""].filter(Boolean).join(" ");
      cell.style.setProperty("--tint", tint);
      if (tab === null) cell.removeAttribute("tabindex");
      else cell.tabIndex = tab;
      if (this.name === "Y") cell.setAttribute("aria-selected", style === "chosen");
    }

    /** Put the focus on a cell, from where the keys go on. */
    go(place) {
      for (const [at, tab] of [[this.active, -1], [place, 0]]) {
        this.cellAt(at).tabIndex = tab;
        this.written[at[0]][at[1]] = "";
      }
      this.active = place;
      this.cellAt(place).focus();
    }

    cellAt([r, c]) { return this.grid[r][c]; }

    /** Where a key leads from the active cell; null: it leads nowhere. */
    after(key) {
      const [r, c] = this.active, [first, last] = this.reach;
      const moves = { ArrowUp: [r - 1, c], ArrowDown: [r + 1, c], ArrowLeft: [r, c - 1], ArrowRight: [r, c + 1], Home: [r, first], End: [r, last], PageUp: [first, c], PageDown: [last, c] };
      return moves[key]?.map((place) => clamp(place, first, last)) ?? null;
    }

    reachable([r, c]) { return [r, c].every((place) => place >= this.reach[0] && place <= this.reach[1]); }
  }

  const placeOf = (target) => target?.closest?.("[data-at]")?.dataset.at.split(",").map(Number) ?? null;

  let built = 0;

  function build(box) {
    const words = WORDS[(box.closest("[lang]")?.lang ?? "").startsWith("zh") ? "zh" : "en"];
    const offered = box.dataset.show?.split(/\s+/) ?? null;
    const state = { ...DEFAULTS };
    for (const [name, value] of (box.dataset.start ?? "").split(/\s+/).filter(Boolean).map((pair) => pair.split("=")))
      state[name] = typeof DEFAULTS[name] === "number" ? Number(value) : typeof DEFAULTS[name] === "boolean" ? value === "true" : value;
    let map = parsed(box.dataset.map), kernel = parsed(box.dataset.kernel);
    if (map) state.size = map.length;
    if (kernel) state.window = kernel.length;
    map ??= grid(state.size, (r, c) => PATTERNS.random(r, c));
    kernel ??= grid(state.window, (r, c) => KERNELS.edge(r, c, state.window));
    let chosen = [0, 0], layer = null, laid = null, Y = null, timer = null;

    // The controls.
    const controls = {};
    const labelled = (name, control, value) => element("label", { class: `for-${name}` }, element("span", {}, words[name]), ...(value ? [value] : []), control);
    const shownValues = {};
    for (const [name, [low, high]] of Object.entries(SLIDERS)) {
      const slider = element("input", { type: "range", name, min: low, max: high, step: 1, value: state[name] });
      shownValues[name] = element("span", { class: "value", "aria-hidden": "true" }, state[name]);
      controls[name] = labelled(name, slider, shownValues[name]);
    }
    const select = (name, options) => labelled(name, element("select", { name }, ...options.map((value) => element("option", { value }, words[value]))));
    controls.operation = select("operation", OPERATIONS);
    controls.mode = select("mode", MODES[state.operation]);
    controls.fillMap = select("fillMap", ["own", "count", "random", "edge", "one", "ones"]);
    controls.fillKernel = select("fillKernel", ["own", "count", "random", "edge", "one", "ones"]);
    for (const name of ["ceil", "whole"]) {
      const control = element("input", { type: "checkbox", name });
      control.checked = state[name];
      controls[name] = element("label", { class: "check" }, control, element("span", {}, words[name]));
    }
    const control = (name) => controls[name].querySelector("input, select");
    control("operation").value = state.operation;
    const order = ["operation", "size", "window", "stride", "padding", "mode", "dilation", "outputPadding", "ceil", "fillMap", "fillKernel"];
    const settings = element("div", { class: "controls", role: "group", "aria-label": words.settings }, ...order.map((name) => controls[name]));

    const button = (name) => element("button", { type: "button", name }, words[name]);
    const buttons = { back: button("back"), step: button("step"), play: button("play") };
    const steps = element("div", { class: "steps", role: "group", "aria-label": words.steps }, ...Object.values(buttons));

    // What is shown.
    const rule = element("p", { class: "rule" });
    const boards = { X: new Board("X"), K: new Board("K"), Y: new Board("Y"), dX: new Board("dX", { role: "table" }), dK: new Board("dK", { role: "table" }) };
    const answer = element("output", { "aria-live": "polite" });
    const group = (name, ...inside) => element("div", { class: `pass ${name}`, role: "group", "aria-label": words[name] }, element("p", { class: "title" }, words[name]), ...inside);
    const row = (...names) => element("div", { class: "boards" }, ...names.map((name) => boards[name].figure));
    const of = element("span", { class: "of" });
    const back = group("backward", controls.whole, row("dX", "dK"));
    back.querySelector(".title").append(" ", of);
    const forward = group("forward", steps, row("X", "K", "Y"), answer);
    const help = element("p", { class: "help", id: `playground-help-${++built}` }, words.help);
    for (const name of ["X", "K", "Y"]) boards[name].cells.setAttribute("aria-describedby", help.id);
    box.replaceChildren(settings, rule, forward, back, help);
    back.hidden = offered !== null && !offered.includes("backward");

    const weighted = () => state.operation === "correlation" || state.operation === "transposed";
    const offers = (name) => offered === null || offered.includes(name);

    function settle() {
      state.outputPadding = state.operation === "transposed" ? Math.min(state.outputPadding, Math.max(state.stride, state.dilation) - 1) : 0;
      const modes = MODES[state.operation];
      if (!modes.includes(state.mode)) state.mode = modes[0] ?? "constant";
      const options = control("mode");
      if (options.dataset.of !== state.operation) {
        options.dataset.of = state.operation;
        options.replaceChildren(...modes.map((value) => element("option", { value }, words[value])));
      }
      options.value = state.mode;
      for (const name of Object.keys(SLIDERS)) {
        if (name === "outputPadding") control(name).max = Math.max(state.stride, state.dilation) - 1;
        control(name).value = state[name];
        shownValues[name].textContent = state[name];
      }
      const useful = { mode: modes.length > 0, outputPadding: state.operation === "transposed", ceil: !weighted(), fillKernel: weighted() };
      for (const [name, made] of Object.entries(controls)) made.hidden = name === "whole" ? false : !offers(name) || useful[name] === false;
      if (map.length !== state.size) map = resized(map, state.size, "fillMap", PATTERNS, "random");
      if (kernel.length !== state.window) kernel = resized(kernel, state.window, "fillKernel", KERNELS, "ones");
    }

    /** The chosen pattern in the new size; own numbers stay, and `more` stands beside them. */
    function resized(old, side, fill, patterns, more) {
      const chosenPattern = control(fill).value, own = chosenPattern === "own", pattern = patterns[own ? more : chosenPattern];
      return grid(side, (r, c) => (own ? old[r]?.[c] : null) ?? pattern(r, c, side));
    }

    function ruleOf() {
      const [a] = laid, { size, window, stride, padding, dilation, outputPadding, ceil } = state;
      if (state.operation === "transposed") return `(${size} − 1) · ${stride} + (${window} − 1) · ${dilation} + 1 − 2 · ${padding} + ${outputPadding} = ${a.whole - 2 * padding + outputPadding}`;
      const [open, close] = ceil && !weighted() ? "⌈⌉" : "⌊⌋";
      const counted = `${open}(${size} + 2 · ${padding} − ((${window} − 1) · ${dilation} + 1)) / ${stride}${close} + 1`;
      return a.out === a.steps + 1 ? `${counted} = ${a.out}` : `${counted} − 1 = ${a.out} (${words.leftOut})`;
    }

    function sentence(found, { value, winner, counted }) {
      const name = `Y[${chosen.join(", ")}]`, result = written(value);
      if (state.operation === "max") {
        if (!winner) return `${name} = ${result}${words.nobody}`;
        return `${name} = max(${counted.map((term) => written(term.value)).join(", ")}) = ${result}${winner.at ? words.from(...winner.at) : words.phantom}`;
      }
      if (state.operation === "mean") return `${name} = (${counted.map((term, n) => (n ? factor : written)(term.value)).join(" + ")}) / ${counted.length} = ${result}`;
      if (!found.length) return `${name} = ${result}${words.none}`;
      return `${name} = ${found.map((term, n) => `${(n ? factor : written)(term.value)}·${factor(term.weight)}`).join(" + ")} = ${result}`;
    }

    function update() {
      settle();
      layer = { ...state, ceil: state.ceil && !weighted(), maps: [map], kernels: weighted() ? [kernel] : null, window: [state.window, state.window] };
      laid = windows.axes(layer);
      const [a] = laid, transposed = state.operation === "transposed";
      box.classList.toggle("refused", a.out === 0);
      for (const part of [rule, steps, boards.X.figure.parentElement]) part.hidden = a.out === 0;
      back.hidden = a.out === 0 || !offers("backward");
      if (a.out === 0) {
        stop();
        answer.textContent = transposed ? words.gone(a.whole + state.outputPadding, 2 * state.padding) : words.tooLarge(a.span, a.padded);
        return;
      }
      chosen = chosen.map((place) => clamp(place, 0, a.out - 1));
      Y = windows.output(layer, laid);
      const found = windows.terms(layer, ...chosen, laid), seen = windows.value(layer, found);
      rule.textContent = ruleOf();
      showMap(found, seen);
      boards.K.figure.hidden = !weighted();
      if (weighted()) {
        boards.K.show(state.window, state.window, (r, c) => numbered(kernel[r][c], words.cell(r, c), found.some((term) => term.u === r && term.v === c) ? "seen" : ""),
          { caption: words.K(state.window), label: `K: ${words.K(state.window)}` });
      }
      boards.Y.active = chosen;
      boards.Y.show(a.out, a.out, (r, c) => numbered(Y[r][c], words.cell(r, c), r === chosen[0] && c === chosen[1] ? "chosen" : ""), { caption: words.Y(a.out), label: `Y: ${words.Y(a.out)}` });
      answer.textContent = sentence(found, seen);
      showGradients(seen.counted === undefined ? found : state.operation === "max" ? [seen.winner] : seen.counted);
    }

    const numbered = (number, label, style) => ({ text: written(number), label: `${label}: ${written(number)}`, style, number });

    function showMap(found, { winner }) {
      // As far as the padding goes, and windows that in ceil mode reach past it.
      const [a] = laid, transposed = state.operation === "transposed", low = transposed ? 0 : state.padding;
      const last = transposed ? state.size : Math.max(a.end, a.place(a.out - 1, state.window - 1) + 1), side = last + low;
      const at = new Map(found.map((term) => [`${term.row},${term.column}`, term]));
      const standing = (...place) => {
        const [from, across] = place.map((each) => windows.source(each, state.size, state.mode));
        return from === null || across === null ? 0 : map[from][across];
      };
      boards.X.show(side, side, (r, c) => {
        const [row, column] = [r - low, c - low], term = at.get(`${row},${column}`);
        const marks = [term ? "seen" : "", term && term === winner ? "winner" : ""], spoken = [term ? words.inWindow : "", term && term === winner ? words.winner : ""].filter(Boolean).join(", ");
        const said = (label) => (spoken ? `${label}, ${spoken}` : label), inside = row >= 0 && column >= 0 && row < state.size && column < state.size;
        if (inside) return { ...numbered(map[row][column], words.cell(row, column), marks.join(" ").trim()), label: said(`${words.cell(row, column)}: ${written(map[row][column])}`) };
        const beyond = row >= a.end || column >= a.end, empty = beyond || state.mode === "nothing";
        const text = empty ? "" : written(standing(row, column));
        return { text, label: said(`${beyond ? words.beyond : words.padded}${text && `: ${text}`}`), style: ["phantom", beyond ? "beyond" : "", ...marks].join(" ").trim(), number: 0 };
      }, { caption: words.X(state.size, transposed ? state.size : a.padded), label: `X: ${words.X(state.size, transposed ? state.size : a.padded)}`, reach: [low, low + state.size - 1] });
    }

    /** `givers`: the terms through which the chosen output's gradient goes. */
    function showGradients(givers) {
      of.textContent = state.whole ? words.ofAll : words.of(...chosen);
      const cotangents = Y.map((line, i) => line.map((_, j) => Number(state.whole || (i === chosen[0] && j === chosen[1]))));
      const { maps, kernels, lost } = windows.gradients(layer, cotangents, laid);
      const touched = new Set(state.whole ? [] : givers.filter((term) => term?.at).map((term) => term.at.join()));
      boards.dX.show(state.size, state.size, (r, c) => numbered(maps[0][r][c], words.cell(r, c), touched.has(`${r},${c}`) ? "touched" : ""),
        { caption: words.dX(lost && written(lost)), label: `dX: ${words.dX(lost && written(lost))}` });
      boards.dK.figure.hidden = !kernels;
      if (kernels) boards.dK.show(state.window, state.window, (r, c) => numbered(kernels[0][r][c], words.cell(r, c), ""), { caption: words.dK(), label: `dK: ${words.dK()}` });
    }

    // Hands and keys.
    function choose(place) {
      chosen = place;
      update();
    }

    function move(by) {
      const { out } = laid[0], index = (chosen[0] * out + chosen[1] + by + out * out) % (out * out);
      choose([Math.floor(index / out), index % out]);
    }

    function stop() {
      clearInterval(timer);
      timer = null;
      buttons.play.textContent = words.play;
      answer.setAttribute("aria-live", "polite");
    }

    function start() {
      answer.setAttribute("aria-live", "off"); // a voice could not keep up
      buttons.play.textContent = words.pause;
      timer = setInterval(() => (box.isConnected ? move(1) : stop()), 900);
    }

    buttons.back.addEventListener("click", () => { stop(); move(-1); });
    buttons.step.addEventListener("click", () => { stop(); move(1); });
    buttons.play.addEventListener("click", () => (timer === null ? start() : stop()));

    box.addEventListener("input", ({ target }) => {
      const { name } = target;
      if (!(name in controls)) return;
      if (name === "fillMap" && target.value !== "own") map = grid(state.size, (r, c) => PATTERNS[target.value](r, c, state.size));
      else if (name === "fillKernel" && target.value !== "own") kernel = grid(state.window, (r, c) => KERNELS[target.value](r, c, state.window));
      else if (name in state) state[name] = target.type === "range" ? Number(target.value) : target.type === "checkbox" ? target.checked : target.value;
      if (name === "operation") {
        state.stride = weighted() ? 1 : state.window; // a pooling's windows tile the map unless told otherwise
        state.mode = MODES[state.operation][0];
      }
      update();
    });

    const editable = { X: () => [map, laid[0], "fillMap"], K: () => [kernel, null, "fillKernel"] };
    const inMap = (name, [r, c]) => (name === "X" && state.operation !== "transposed" ? [r - state.padding, c - state.padding] : [r, c]);

    function change(name, place, number) {
      const [values, , fill] = editable[name](), [r, c] = inMap(name, place);
      values[r][c] = clamp(Math.round(number * 100) / 100, -LIMIT, LIMIT);
      control(fill).value = "own";
      update();
    }

    /** Open a cell for a new number, of which a first key may have come already. */
    function edit(name, cell, begun = "") {
      const board = boards[name], place = placeOf(cell), input = element("input", { type: "text", inputmode: "decimal", "aria-label": words.edit(words.cell(...inMap(name, place))) });
      input.value = begun || cell.textContent.replace("\u2212", "-");
      cell.replaceChildren(input);
      input.focus();
      if (!begun) input.select(); // what is typed takes its place
      let open = true;
      const close = (keep, refocus) => {
        if (!open) return;
        open = false;
        const typed = input.value.trim().replace("\u2212", "-"), number = Number(typed);
        board.written[place[0]][place[1]] = "";
        input.remove();
        if (keep && typed !== "" && Number.isFinite(number)) change(name, place, number);
        else update();
        if (refocus) board.cellAt(board.active)?.focus();
      };
      input.addEventListener("keydown", (event) => {
        event.stopPropagation();
        if (event.key === "Enter" || event.key === "Escape") close(event.key === "Enter", true);
      });
      input.addEventListener("blur", () => close(true, false));
    }

    for (const name of ["X", "K"]) {
      const board = boards[name];
      board.cells.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const next = board.after(event.key), cell = board.cellAt(board.active);
        if (next) board.go(next);
        else if (event.key === "Enter" || event.key === "F2") edit(name, cell);
        else if (/^[-0-9.]$/.test(event.key)) edit(name, cell, event.key);
        else if (event.key === "Delete" || event.key === "Backspace") change(name, board.active, 0);
        else return;
        event.preventDefault();
      });
      let grabbed = null, again = false;
      board.cells.addEventListener("pointerdown", (event) => {
        const place = placeOf(event.target);
        if (!place || event.target.matches("input")) return;
        again = document.activeElement === board.cellAt(place);
        grabbed = name === "X" && state.operation !== "transposed" && event.target.closest(".seen") ? { place, from: chosen, moved: false } : null;
        if (grabbed) board.cells.setPointerCapture(event.pointerId);
      });
      board.cells.addEventListener("pointermove", (event) => {
        const place = grabbed && placeOf(document.elementFromPoint(event.clientX, event.clientY));
        if (!place || !board.cells.contains(document.elementFromPoint(event.clientX, event.clientY))) return;
        const next = grabbed.from.map((from, i) => clamp(from + Math.round((place[i] - grabbed.place[i]) / state.stride), 0, laid[0].out - 1));
        if (next.join() === chosen.join()) return;
        grabbed.moved = true;
        stop();
        choose(next);
      });
      board.cells.addEventListener("pointerup", (event) => {
        // With a captured pointer the click goes to the board, so the cell is looked up.
        const place = placeOf(document.elementFromPoint(event.clientX, event.clientY)), moved = grabbed?.moved;
        grabbed = null;
        if (moved || !place || !board.reachable(place) || !board.cells.contains(board.cellAt(place)) || event.target.matches("input")) return;
        board.go(place);
        if (again) edit(name, board.cellAt(place));
      });
      board.cells.addEventListener("pointercancel", () => { grabbed = null; });
    }

    const { Y: target } = boards;
    target.cells.addEventListener("keydown", (event) => {
      const next = !(event.ctrlKey || event.metaKey || event.altKey) && target.after(event.key);
      if (!next) return;
      event.preventDefault();
      stop();
      choose(next);
      target.cellAt(next).focus();
    });
    const point = (event) => {
      const cell = document.elementFromPoint(event.clientX, event.clientY);
      if (!target.cells.contains(cell) || !placeOf(cell)) return;
      stop();
      choose(placeOf(cell));
      target.cellAt(chosen).focus();
    };
    target.cells.addEventListener("pointerdown", point);
    target.cells.addEventListener("pointermove", (event) => event.buttons && point(event));

    update();
  }

  const buildAll = () => document.querySelectorAll("div.playground").forEach(build);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", buildAll);
  else buildAll();
})();
