// What the theme leaves out for those who do not see the page or have no mouse.
document.addEventListener("DOMContentLoaded", () => {
  const chinese = document.documentElement.lang.startsWith("zh");
  const say = (english, other) => (chinese ? other : english);

  // What scrolls sideways can be reached and scrolled by keyboard.
  const scrolling = {
    ".cell_output, .wide": say("Picture", "图"),
    ".pst-scrollable-table-container": say("Table", "表格"),
    ".katex-display": say("Formula", "公式"),
  };
  const reach = () => {
    for (const [selector, label] of Object.entries(scrolling)) {
      for (const element of document.querySelectorAll(selector)) {
        if (element.scrollWidth > element.clientWidth && !element.hasAttribute("tabindex")) {
          element.tabIndex = 0;
          element.setAttribute("role", "region");
          element.setAttribute("aria-label", label);
        }
      }
    }
  };
  reach();
  window.addEventListener("load", reach); // pictures have their size now
  window.addEventListener("resize", reach);

  // A cell's fold says what it does by itself; those of the contents say nothing.
  for (const summary of document.querySelectorAll("details.hide summary")) summary.removeAttribute("aria-label");
  for (const summary of document.querySelectorAll("nav summary")) {
    const link = summary.parentElement.parentElement.querySelector("a");
    summary.setAttribute("aria-label", say("Contents of ", "展开：") + (link ? link.textContent.trim() : ""));
  }
});
