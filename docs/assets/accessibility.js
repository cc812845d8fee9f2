/* The theme adds a landmark to each block of code, and a box that scrolls to each wide table. Name the
   landmarks, as screen readers need, and let the keyboard reach the boxes. */
new MutationObserver(() => {
  document.querySelectorAll(".md-code__nav").forEach((nav, index) => {
    if (!nav.ariaLabel) nav.ariaLabel = `Code ${index + 1}`;
  });
  document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])").forEach((box) => {
    box.tabIndex = 0;
  });
}).observe(document.body, { childList: true, subtree: true });
