// Several runs: their curves over each other, and a table.
function showRuns() {
  const box = document.querySelector(".charts");
  for (const { title, curves, kind } of facts.charts) addChart(box, title, curves, kind === "accuracy" ? accuracy : short);
  const { columns, rows } = facts.table;
  const numeric = columns.map((_, i) => rows.every((row) => typeof row[i] !== "string" || /^[\d.,%e+\u2013\u2212 -]*$/.test(row[i])));
  const cell = (tag, text, i) => element(tag, numeric[i] ? { class: "number" } : {}, text);
  document.getElementById("table").append(scrolling("Runs", element("table", { class: "plain" },
    element("thead", {}, element("tr", {}, ...columns.map((name, i) => cell("th", name, i)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((text, i) => cell("td", text, i))))))));
}
showRuns();
