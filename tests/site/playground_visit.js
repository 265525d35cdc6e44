// What the test of the playground asks the page; it is only read, for keys are pressed from outside.

/** What both playgrounds show. */
function shown() {
  return [...document.querySelectorAll(".playground")].map((box) => {
    const figures = [...box.querySelectorAll("figure")], rows = (figure) => [...figure.querySelectorAll("[role=row]")];
    const named = (show) => Object.fromEntries(figures.filter((figure) => figure.checkVisibility()).map((figure) => [figure.dataset.board, show(figure)]));
    const marked = (name) => [...box.querySelectorAll(`.${name}`)].map((cell) => cell.dataset.at);
    const silent = (cell) => !cell.ariaLabel.includes(cell.textContent) || !cell.ariaLabel;
    return {
      boards: named((figure) => rows(figure).map((row) => [...row.children].map((cell) => cell.textContent))),
      captions: named((figure) => figure.querySelector("figcaption").textContent),
      winner: marked("winner"), chosen: marked("chosen"), silent: [...box.querySelectorAll("[data-at]")].filter(silent).length,
      rule: box.querySelector(".rule").textContent, answer: box.querySelector("output").textContent,
      width: [document.documentElement.scrollWidth, innerWidth],
    };
  });
}

/** Where Tab stops in a playground, in order: [name, value, whether the focus is there]. */
function stops(language) {
  const all = document.querySelectorAll(`.playground[lang=${language}] :is(select, input, button, [tabindex="0"])`);
  return [...all].filter((stop) => stop.checkVisibility()).map((stop) => {
    const value = stop.type === "checkbox" ? String(stop.checked) : stop.value ?? "";
    return [stop.closest("[role=grid]")?.parentElement.dataset.board ?? stop.name, value, stop === document.activeElement];
  });
}

/** The middles of cells of the first playground, scrolled into sight. */
function places(board, ...ats) {
  const cells = ats.map((at) => document.querySelector(`[data-board=${board}] [data-at="${at}"]`));
  cells[0].scrollIntoView({ block: "center", behavior: "instant" });
  return cells.map((cell) => cell.getBoundingClientRect()).map(({ x, y, width, height }) => [x + width / 2, y + height / 2]);
}
