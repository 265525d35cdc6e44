// Curves over the steps of a run, or of several.
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

/** What a curve looks like: a colour, or its variable of the style sheet, and its width. */
function pen(name) {
  if (facts.pens?.[name]) return [facts.pens[name], 2];
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
    svg.append(element("svg:path", { d: path.join(""), style: `stroke: ${paint(name)}`, "stroke-width": stroke }));
    if (curve.points.length <= 40) for (const p of curve.points)
      svg.append(element("svg:circle", { cx: x(p[0]), cy: y(p[1]), r: stroke + 0.6, style: `fill: ${paint(name)}` }));
  }
  figure.querySelector("svg")?.remove();
  figure.querySelector("figcaption").before(svg);
}

const paint = (name) => (name.startsWith("--") ? `var(${name})` : name);
const accuracy = (value) => percent(value, value > 0.99 && value < 1 ? 1 : 0);

/** A chart that is drawn again when its width changes. */
function addChart(box, title, curves, format) {
  if (!curves.length) return;
  const legend = curves.map((curve) => element("span", {},
    element("i", { class: "swatch", style: `background: ${paint(pen(curve.name)[0])}` }), curve.name));
  const figure = element("figure", { class: "chart" }, element("h3", {}, title), element("figcaption", {}, ...legend));
  box.append(figure);
  let drawn = 0;
  new ResizeObserver(() => {
    if (figure.clientWidth !== drawn) drawChart(figure, title, curves, format);
    drawn = figure.clientWidth;
  }).observe(figure);
  drawChart(figure, title, curves, format);
}
