// Makes a player of each message flow on a page; without JavaScript its picture and its words stay.

async function upgrade() {
  const figures = document.querySelectorAll("figure.flow:not([data-plays])");
  if (!figures.length) return;
  const { play } = await import("./flow.js");
  for (const figure of figures) {
    if (figure.dataset.plays) continue;
    play(figure, JSON.parse(figure.querySelector("script").textContent));
    figure.dataset.plays = "true";
  }
}

// With instant navigation the theme brings in the next page without loading it anew, and says so.
if (window.document$) window.document$.subscribe(upgrade);
else upgrade();
