// What a hand would do on the report page, and what an eye would see: a function of the settings to explore.
(settings) => {
const results = {}, faults = [];
addEventListener("error", (event) => faults.push(event.message));
function visitExplorer() {
  const { explore } = window.jaxcnnReport;
  results.explored = settings.map((setting) => explore(setting));
  results.refused = [{ layer: "max", window: 2, padding: 3 }, { layer: "correlation", dilation: 8 }, { layer: "mean", stride: 0 }]
    .map((setting) => { try { explore(setting); return ""; } catch (error) { return error.message; } });
  const at = (id) => document.getElementById(id);
  const typed = (id, value) => { at(id).value = value; at(id).dispatchEvent(new Event("input", { bubbles: true })); };
  const pressed = (key) => at("x-output").dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const seen = () => ({ row: Number(at("x-row").value), column: Number(at("x-column").value), text: at("x-answer").textContent,
    picture: at("x-output").toDataURL().length, input: at("x-input").toDataURL(), winners: document.querySelectorAll("#explorer .winner").length,
    tables: [...document.querySelectorAll("#explorer .cells")].map((table) => [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent))) });
  at("x-output").focus();
  results.focused = document.activeElement.id;
  typed("x-row", 0); typed("x-column", 0);
  results.walk = [seen()];
  for (const key of ["ArrowDown", "ArrowDown", "ArrowRight", "ArrowUp", "End", "ArrowRight", "Home", "ArrowLeft"]) results.walk.push((pressed(key), seen()));
  typed("x-layer", "max");
  results.pooled = seen();
  typed("x-padding", 9);
  results.complaint = at("x-answer").textContent;
  results.hidden = at("x-output").getBoundingClientRect().width === 0;
  typed("x-padding", 0);
  results.mended = seen();
}

if (window.jaxcnnReport.facts.explorer) visitExplorer();
const colours = (canvas) => new Set(new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size;
results.pictures = [...document.querySelectorAll("canvas, svg")].map((each) => {
  const { width, height } = each.getBoundingClientRect();
  return { section: each.closest("section").id, name: each.getAttribute("aria-label"), width, height,
    colours: each.matches("canvas") ? colours(each) : null, paths: [...each.querySelectorAll("path")].map((path) => path.getTotalLength()) };
});
results.unlabelled = [...document.querySelectorAll("input, select")].filter((input) => !input.labels.length).length;
results.reachable = [...document.querySelectorAll("a, input, select, summary, [tabindex]")].filter((each) => each.tabIndex < 0).length;
results.links = [...document.querySelectorAll("nav a")].map((link) => [link.hash, Boolean(document.querySelector(link.hash))]);
results.text = Object.fromEntries([...document.querySelectorAll("section")].map((each) => [each.id, each.innerText]));
results.confusion = [...document.querySelectorAll(".confusion tbody tr")].map((row) => [...row.querySelectorAll("td:not(.recall)")].map((cell) => Number(cell.textContent)));
results.width = [document.documentElement.clientWidth, document.documentElement.scrollWidth];
results.ground = getComputedStyle(document.body).backgroundColor;
results.ink = getComputedStyle(document.body).color;
results.faults = faults;
return results;
}
