// Small tools: elements, colours, pictures, numbers.
const facts = JSON.parse(document.getElementById("facts").textContent);
const repaints = [];

/** An element with attributes and children; an "svg:" before the tag makes it part of a drawing. */
function element(tag, attributes = {}, ...children) {
  const made = tag.startsWith("svg:")
    ? document.createElementNS("http:" + "//www.w3.org/2000/svg", tag.slice(4)) // a name in two parts: the page holds no address
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Draw now, and again whenever the page turns dark or light. */
function painted(paint) {
  repaints.push(paint);
  paint();
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  tables.clear();
  repaints.forEach((paint) => paint());
});

/** A colour of the style sheet as [red, green, blue]. */
function colour(name) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

const mixed = (a, b, share) => a.map((value, i) => Math.round(value + (b[i] - value) * share));
const css = (rgb) => `rgb(${rgb.join(",")})`;
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** From dark to bright, for the cells of a feature map; t from 0 to 1. */
const RAMP = [[18, 22, 46], [28, 66, 110], [24, 126, 140], [118, 186, 128], [250, 238, 178]];
function heat(t) {
  const place = clamp(t, 0, 1) * (RAMP.length - 1), i = Math.min(Math.floor(place), RAMP.length - 2);
  return mixed(RAMP[i], RAMP[i + 1], place - i);
}
const grey = (t) => Array(3).fill(Math.round(clamp(t, 0, 1) * 255));

/** From the colour of minus through that of nothing to that of plus; t from 0 to 1. */
function signed(t) {
  const zero = colour("--zero");
  return t < 0.5 ? mixed(zero, colour("--second"), 1 - 2 * t) : mixed(zero, colour("--accent"), 2 * t - 1);
}

/** The colours of all bytes, made once for each ramp and theme. */
const tables = new Map();
function tableOf(ramp) {
  if (!tables.has(ramp)) tables.set(ramp, Array.from({ length: 256 }, (_, level) => ramp(level / 255)));
  return tables.get(ramp);
}

/** What a picture of the facts holds, as bytes. */
const bytesOf = (picture) => Uint8Array.from(atob(picture.bytes), (character) => character.charCodeAt(0));

/** A canvas of one map of a picture, or of all three as colours; `zoom` is pixels of the page a cell. */
function canvasOf(picture, { index = 0, ramp = heat, zoom = null, label }) {
  const { height, width } = picture, bytes = bytesOf(picture), size = height * width;
  const canvas = element("canvas", { width, height, class: "map", role: "img", "aria-label": label });
  if (zoom) canvas.style.width = `${width * zoom}px`;
  painted(() => {
    const context = canvas.getContext("2d"), image = context.createImageData(width, height);
    const table = ramp && tableOf(ramp);
    for (let i = 0; i < size; i++) {
      const rgb = table ? table[bytes[index * size + i]] : [0, 1, 2].map((c) => bytes[c * size + i]);
      image.data.set([...rgb, 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
  });
  return canvas;
}

/** An image of the data set: in colours where it has them, grey otherwise. */
const photo = (picture, label, zoom) => canvasOf(picture, { ramp: picture.count === 3 ? null : grey, label, zoom });

/** A table in a box of its own that scrolls by keyboard too, and shows where there is more of it. */
function scrolling(label, ...children) {
  const box = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, ...children);
  const show = () => {
    const left = box.scrollWidth - box.clientWidth - box.scrollLeft;
    box.classList.toggle("more-right", left > 2);
    box.classList.toggle("more-left", box.scrollLeft > 2);
  };
  box.addEventListener("scroll", show, { passive: true });
  new ResizeObserver(show).observe(box);
  return box;
}

const whole = (number) => number.toLocaleString("en");
const minus = (text) => text.replace("-", "\u2212");
const fixed = (number, digits) => minus(Math.abs(number) < 0.5 * 10 ** -digits ? (0).toFixed(digits) : number.toFixed(digits));
const short = (number) =>
  minus(number !== 0 && Math.abs(number) < 1e-3 ? Number(number.toPrecision(3)).toExponential() : String(Number(number.toPrecision(4))));
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)}%`;
const plural = (number, one, many = one + "s") => `${whole(number)} ${number === 1 ? one : many}`;
