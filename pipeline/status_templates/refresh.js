/* Reloads the page from time to time unless the reader has asked it not to (WCAG 2.2.1, 2.2.2). */
const still = () => location.hash === "#still";
const show = () => {
  document.documentElement.dataset.still = still();
};
addEventListener("hashchange", show);
show();
setInterval(() => still() || location.reload(), 20000);
