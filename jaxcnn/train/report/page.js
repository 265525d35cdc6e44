// The sections, from top to bottom.
const section = (name) => document.getElementById(name);

function showSummary() {
  const { run, confusion, layers } = facts, hero = element("div", { class: "hero" });
  if (confusion) {
    const count = confusion.flat().reduce((a, b) => a + b, 0), right = confusion.reduce((sum, row, i) => sum + row[i], 0);
    hero.append(element("p", { class: "score" }, element("b", {}, percent(right / count)),
      element("span", {}, `of the test images are right: ${whole(right)} of ${whole(count)}`)));
  }
  const figures = [
    [plural(run.train, "image"), "to train"],
    [whole(run.steps), run.epochs ? `steps, ${plural(run.epochs, "epoch")}` : "steps"],
    [whole(layers.reduce((sum, layer) => sum + layer.parameters, 0)), "parameters"],
    ...(run.seconds ? [[`${run.seconds.toFixed(run.seconds < 10 ? 1 : 0)} s`, "of training"]] : []),
  ];
  hero.append(element("dl", { class: "figures" },
    ...figures.map(([figure, name]) => element("div", {}, element("dt", {}, name), element("dd", {}, figure)))));
  const rows = Object.entries(run.settings).map(([name, value]) =>
    element("tr", {}, element("th", { scope: "row" }, name.replaceAll("_", " ")), element("td", {}, String(value))));
  document.getElementById("summary").append(hero,
    element("details", {}, element("summary", {}, "Settings of this run"),
      scrolling("Settings of this run", element("table", { class: "plain" }, element("tbody", {}, ...rows)))));
}

/** Round numbers that divide an axis: decades and their parts where it is logarithmic. */
function ticks(low, high, logarithmic) {
  const made = [];
  if (logarithmic) {
    const parts = Math.log10(high / low) > 2.5 ? [1] : [1, 2, 5];
    for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++) made.push(...parts.map((m) => m * 10 ** e));
  } else {
    const raw = (high - low) / 5 || 1, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) made.push(i * step || 0);
  }
  return made.filter((tick) => tick >= low * (1 - 1e-9) - 1e-12 && tick <= high * (1 + 1e-9) + 1e-12);
}

/** What a curve looks like: its variable of the style sheet, and its width. */
function pen(name) {
  if (name === "loss of each step") return ["--faint", 1.2];
  if (name.startsWith("test")) return ["--second", 2.4];
  return name.startsWith("train") ? ["--accent", 2.4] : ["--third", 2];
}

function drawChart(figure, title, curves, format) {
  const width = Math.max(figure.clientWidth, 240), height = Math.min(320, Math.max(220, width * 0.62));
  const left = 48, right = 12, top = 14, bottom = 38;
  const points = curves.flatMap((curve) => curve.points), values = points.map((point) => point[1]);
  const lastStep = Math.max(1, ...points.map((point) => point[0]));
  let low = Math.min(...values), high = Math.max(...values);
  const logarithmic = format === short && low > 0 && high / low > 12;
  if (!logarithmic) [low, high] = [format === short ? Math.min(0, low) : low, high + (high - low || 1) * 0.04];
  if (format !== short) [low, high] = [Math.max(0, low - (high - low) * 0.15), Math.min(1, high)];
  const scale = logarithmic ? Math.log : (value) => value;
  const x = (step) => left + (step / lastStep) * (width - left - right);
  const y = (value) => height - bottom - ((scale(value) - scale(low)) / (scale(high) - scale(low) || 1)) * (height - top - bottom);
  const text = (content, attributes) => element("svg:text", attributes, content);
  const line = (x1, y1, x2, y2) => element("svg:line", { x1, y1, x2, y2 });
  const svg = element("svg:svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label":
    `${title} over ${plural(lastStep, "step")}: ${curves.map((c) => `${c.name} ends at ${format(c.points.at(-1)[1])}`).join(", ")}` });
  for (const tick of ticks(low, high, logarithmic))
    svg.append(line(left, y(tick), width - right, y(tick)), text(format(tick), { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }));
  for (const tick of ticks(0, lastStep, false).filter(Number.isInteger))
    svg.append(text(whole(tick), { x: x(tick), y: height - bottom + 18, "text-anchor": "middle" }));
  svg.append(text("step", { x: width - right, y: height - 4, "text-anchor": "end" }));
  for (const curve of curves) {
    const [name, stroke] = pen(curve.name), path = curve.points.map((p, i) => `${i ? "L" : "M"}${x(p[0]).toFixed(1)} ${y(p[1]).toFixed(1)}`);
    svg.append(element("svg:path", { d: path.join(""), style: `stroke: var(${name})`, "stroke-width": stroke }));
    if (curve.points.length <= 40) for (const p of curve.points)
      svg.append(element("svg:circle", { cx: x(p[0]), cy: y(p[1]), r: stroke + 0.6, style: `fill: var(${name})` }));
  }
  figure.querySelector("svg")?.remove();
  figure.querySelector("figcaption").before(svg);
}

function showCurves() {
  const box = section("curves").querySelector(".charts");
  for (const [title, curves, format] of [["Loss", facts.curves.loss, short], ["Accuracy", facts.curves.accuracy, (v) => percent(v, v > 0.99 && v < 1 ? 1 : 0)]]) {
    if (!curves.length) continue;
    const legend = curves.map((curve) => element("span", {},
      element("i", { class: "swatch", style: `background: var(${pen(curve.name)[0]})` }), curve.name));
    const figure = element("figure", { class: "chart" }, element("h3", {}, title), element("figcaption", {}, ...legend));
    box.append(figure);
    let drawn = 0;
    new ResizeObserver(() => {
      if (figure.clientWidth !== drawn) drawChart(figure, title, curves, format);
      drawn = figure.clientWidth;
    }).observe(figure);
    drawChart(figure, title, curves, format);
  }
  if (!facts.epochs.length) return;
  const names = Object.keys(facts.epochs[0]);
  const rows = facts.epochs.map((epoch) => element("tr", {}, ...names.map((name) => element("td", { class: "number" }, short(Number(epoch[name]))))));
  section("curves").append(element("details", {}, element("summary", {}, "The numbers of each epoch"),
    scrolling("The numbers of each epoch", element("table", { class: "plain" },
      element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col", class: "number" }, name.replaceAll("_", " "))))),
      element("tbody", {}, ...rows)))));
}

const WITHOUT_TEST = "This run has no test split, so there is nothing to be right or wrong about.";
const lead = (text) => element("p", { class: "lead" }, text);

function showConfusion() {
  const box = section("confusion"), { confusion, run } = facts;
  if (!confusion) return box.append(lead(WITHOUT_TEST));
  box.append(lead("Each row holds the test images of one class, each column what they were taken for. The diagonal is right."));
  const head = run.classes.map((name) => element("th", { scope: "col", class: name.length > 3 ? "long" : "" }, element("span", {}, name)));
  const rows = confusion.map((row, truth) => {
    const total = row.reduce((a, b) => a + b, 0);
    const cells = row.map((count, guess) => {
      const share = total ? count / total : 0, strength = truth === guess ? 0.1 + 0.4 * share : Math.min(0.85, 0.12 + 4 * share);
      const style = count ? `background: rgba(var(--${truth === guess ? "right" : "wrong"}), ${strength.toFixed(3)})` : "";
      return element("td", { class: count ? "" : "none", style }, whole(count));
    });
    return element("tr", {}, element("th", { scope: "row" }, run.classes[truth]), ...cells,
      element("td", { class: "recall" }, total ? percent(row[truth] / total) : "none"));
  });
  box.append(scrolling("Confusion matrix", element("table", { class: "confusion" },
    element("thead", {}, element("tr", {}, element("td", { class: "recall" }), ...head, element("th", { scope: "col" }, "found"))),
    element("tbody", {}, ...rows))),
    element("p", { class: "note" }, "Rows: the true class. Columns: the guess. At the right: how much of the class was found."));
}

function showMistakes() {
  const box = section("mistakes"), { mistakes } = facts;
  if (!mistakes) return box.append(lead(WITHOUT_TEST));
  if (!mistakes.length) return box.append(lead("There are none: every test image is right."));
  box.append(lead("Test images whose true class was thought least probable."));
  box.append(element("div", { class: "gallery" }, ...mistakes.map((mistake) => {
    const words = `${mistake.truth}, taken for ${mistake.guess}`;
    return element("figure", {}, photo(mistake.picture, `Test image ${mistake.index}: ${words}`),
      element("figcaption", {}, element("b", {}, mistake.truth), ", taken for ", element("b", {}, mistake.guess),
        element("br"), `${percent(mistake.guess_probability)} sure`));
  })));
}

function showFilters() {
  for (const layer of facts.filters) {
    const first = layer.layer === "conv1", { before } = layer;
    const zoom = clamp(Math.floor((first ? 48 : 15) / Math.max(before.width, before.height)), 2, 12);
    const some = layer.outs < layer.all_outs || layer.ins < layer.all_ins ? `, the first ${layer.outs} × ${layer.ins} of them` : "";
    const pair = ["before", "after"].map((time) => {
      const picture = layer[time], rows = [];
      for (let out = 0; out < layer.outs; out++) {
        const tiles = Array.from({ length: layer.ins }, (_, i) => canvasOf(picture, { index: out * layer.ins + i, ramp: signed, zoom,
          label: `${layer.layer}, map ${out + 1}, input ${i + 1}, ${time} training` }));
        rows.push(element("div", { class: "tiles", style: "gap: 2px" }, ...tiles));
      }
      return element("div", {}, element("h4", {}, time === "before" ? "Before the first step" : "After the last step"),
        element("div", { class: "tiles", style: first ? "" : "gap: 10px" }, ...rows));
    });
    section("filters").append(
      element("h3", {}, `${first ? "C1" : "C3"}: ${layer.all_outs} maps from ${plural(layer.all_ins, "input")}${some}`),
      element("div", { class: "pair" }, ...pair));
  }
  if (facts.run.image.length > 3) section("filters").append(element("p", { class: "note" }, "Of each kernel the middle slice is shown."));
}

function stage(title, text, ...content) {
  return element("div", { class: "stage" }, element("div", {}, element("h3", {}, title), element("p", {}, text)), element("div", {}, ...content));
}

function showMaps() {
  const { maps, run, layers } = facts, box = section("maps");
  const split = run.test === null ? "training" : "test";
  box.append(lead(`The first ${split} image, whose class is ${maps.truth}, and what each layer makes of it. Every map has its own layer's scale of brightness.`
    + (run.image.length > 3 ? " Of each volume the middle slice is shown." : "")));
  const zoomOf = (picture, side) => Math.max(1, Math.floor(side / Math.max(picture.width, picture.height)));
  box.append(stage("Input", run.image.join(" × "), photo(maps.image, "The image", zoomOf(maps.image, 140))));
  for (const { layer, count, picture } of maps.layers) {
    const row = layers.find((each) => each.layer === layer), zoom = zoomOf(picture, picture.width > 20 ? 90 : picture.width > 12 ? 72 : 56);
    const tiles = Array.from({ length: picture.count }, (_, index) => canvasOf(picture, { index, zoom, label: `${row.paper}, map ${index + 1} of ${count}` }));
    const some = picture.count < count ? ` The first ${picture.count} are shown.` : "";
    box.append(stage(row.paper, `${row.shape.join(" × ")}. ${row.does}.${some} From ${short(picture.low)} to ${short(picture.high)}.`, element("div", { class: "tiles" }, ...tiles)));
  }
  const best = maps.probabilities.indexOf(Math.max(...maps.probabilities));
  const order = maps.probabilities.map((p, i) => [p, i]).sort((a, b) => (maps.probabilities.length > 20 ? b[0] - a[0] : a[1] - b[1])).slice(0, 20);
  box.append(stage("Output", `${plural(run.classes.length, "class", "classes")}, their probabilities`, element("div", { class: "bars" },
    ...order.flatMap(([p, i]) => {
      const mark = i === best ? { class: "most" } : {};
      return [element("span", mark, run.classes[i]), element("i", { ...mark, style: `width: ${100 * p}%` }), element("span", mark, percent(p))];
    }))));
}

function showLayers() {
  const under = (text) => (text ? [element("small", {}, text)] : []);
  const rows = facts.layers.map((layer) => element("tr", {},
    element("th", { scope: "row" }, layer.paper, ...under(layer.layer)),
    element("td", {}, layer.does),
    element("td", {}, layer.shape.join(" × "), ...under(layer.shape_written)),
    element("td", { class: "number" }, whole(layer.parameters), ...under(layer.parameters_written)),
    element("td", { class: "number" }, whole(layer.multiply_adds), ...under(layer.multiply_adds_written)),
    element("td", { class: "number" }, layer.receptive_field === null ? "all" : String(layer.receptive_field))));
  const total = (name) => element("td", { class: "number" }, whole(facts.layers.reduce((sum, layer) => sum + layer[name], 0)));
  const heads = [["Layer"], ["What it does"], ["Shape"], ["Parameters", 1], ["Multiply-adds", 1], ["Receptive field", 1]];
  section("layers").append(scrolling("Layers in numbers", element("table", { class: "plain" },
    element("thead", {}, element("tr", {}, ...heads.map(([name, right]) => element("th", { scope: "col", class: right ? "number" : "" }, name)))),
    element("tbody", {}, ...rows),
    element("tfoot", {}, element("tr", {}, element("th", { scope: "row", colspan: 3 }, "Together"), total("parameters"), total("multiply_adds"), element("td"))))));
}

function showContents() {
  document.getElementById("contents").append(...[...document.querySelectorAll("main > section")].map((part) =>
    element("li", {}, element("a", { href: `#${part.id}` }, part.dataset.title))));
}

for (const show of [showSummary, showContents, showCurves, showConfusion, showMistakes, showFilters, showMaps, showLayers]) show();
