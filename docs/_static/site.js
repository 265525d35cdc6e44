// What scrolls sideways can be reached and scrolled by keyboard.
document.addEventListener("DOMContentLoaded", () => {
  const chinese = document.documentElement.lang.startsWith("zh");
  const label = { picture: ["Picture", "图"], table: ["Table", "表格"], formula: ["Formula", "公式"] };
  const kinds = { ".cell_output, .wide": "picture", ".pst-scrollable-table-container": "table", ".katex-display": "formula" };
  for (const [selector, kind] of Object.entries(kinds)) {
    for (const element of document.querySelectorAll(selector)) {
      if (element.scrollWidth > element.clientWidth) {
        element.tabIndex = 0;
        element.setAttribute("role", "region");
        element.setAttribute("aria-label", label[kind][Number(chinese)]);
      }
    }
  }
});
