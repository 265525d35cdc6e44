// The sections, from top to bottom.
const section = (name) => document.getElementById(name);

function showSummary() {
  const { run, confusion, layers } = facts, hero = element("div", { class: "hero" });
  if (confusion) {
    const count = confusion.flat().reduce((a, b) => a + b, 0), right = confusion.reduce((sum, row, i) => sum + row[i], 0);
    hero.append(element("p", { class: "score" }, element("b", {}, percent(right / count)),
      element("span", {}, `of the test images are right: ${whole(right)} of ${whole(count)}`)));
  }
  if (facts.notes?.length) document.getElementById("summary").append(...facts.notes.map((text) => element("p", { class: "note" }, `Note: ${text}`)));
  const figures = [
    [plural(run.train, "image"), run.validation ? `to train, and ${whole(run.validation)} to validate` : "to train"],
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

function showCurves() {
  const box = section("curves").querySelector(".charts");
  for (const [title, curves, format] of [["Loss", facts.curves.loss, short], ["Accuracy", facts.curves.accuracy, accuracy]])
    addChart(box, title, curves, format);
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

const MANY = 40; // classes; of more a table of all cells is no longer read

/** The matrix as a picture, and in words what stands out of it. */
function showManyClasses(box) {
  const { confusion, run } = facts, side = run.classes.length;
  const canvas = element("canvas", { width: side, height: side, class: "map", role: "img", "aria-label": `Confusion of ${side} classes` });
  canvas.style.width = `${side * Math.max(1, Math.floor(480 / side))}px`;
  const totals = confusion.map((row) => row.reduce((a, b) => a + b, 0));
  painted(() => {
    const context = canvas.getContext("2d"), image = context.createImageData(side, side);
    const zero = colour("--zero"), right = colour("--accent"), wrong = colour("--second");
    confusion.forEach((row, i) => row.forEach((count, j) => {
      const share = totals[i] ? count / totals[i] : 0;
      image.data.set([...mixed(zero, i === j ? right : wrong, count ? clamp(0.25 + share, 0, 1) : 0), 255], 4 * (i * side + j));
    }));
    context.putImageData(image, 0, 0);
  });
  const found = confusion.map((row, i) => ({ name: run.classes[i], total: totals[i], share: totals[i] ? row[i] / totals[i] : 1 }));
  const least = found.filter((one) => one.total).sort((a, b) => a.share - b.share).slice(0, 20);
  const pairs = confusion.flatMap((row, i) => row.map((count, j) => ({ truth: run.classes[i], guess: run.classes[j], count, right: i === j })))
    .filter((pair) => pair.count && !pair.right).sort((a, b) => b.count - a.count).slice(0, 20);
  const table = (heads, rows) => element("table", { class: "plain" },
    element("thead", {}, element("tr", {}, ...heads.map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell))))));
  box.append(scrolling("Confusion matrix", canvas),
    element("p", { class: "note" }, "Rows: the true class. Columns: the guess. Both in the order of the classes."),
    element("h3", {}, "Taken for each other most often"),
    pairs.length ? scrolling("Taken for each other most often", table(["class", "taken for", "times"], pairs.map((p) => [p.truth, p.guess, whole(p.count)]))) : lead("Nothing was."),
    element("h3", {}, "Found least often"),
    scrolling("Found least often", table(["class", "found", "of"], least.map((one) => [one.name, percent(one.share), whole(one.total)]))));
}

function showConfusion() {
  const box = section("confusion"), { confusion, run } = facts;
  if (!confusion) return box.append(lead(WITHOUT_TEST));
  box.append(lead("Each row holds the test images of one class, each column what they were taken for. The diagonal is right."));
  if (run.classes.length > MANY) return showManyClasses(box);
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
