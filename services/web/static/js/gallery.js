// One picture at a time, in the size of the window. Arrow keys and swipes go on, Escape goes back to the grid.

const element = (id) => document.getElementById(id);
const viewer = element("viewer");
const picture = element("viewer-picture");
const list = document.getElementById("pictures");
const SWIPE = 50; // pixels

let now = null; // the link whose picture is shown

const links = () => [...list.querySelectorAll(".picture")];

function show(link) {
  if (!link) return;
  now = link;
  const all = links();
  const name = link.querySelector(".picture-name").textContent;
  const { large, width, height } = link.dataset;
  picture.removeAttribute("src"); // not the one before while this one is on its way
  if (width && height) {
    picture.width = Number(width);
    picture.height = Number(height);
  }
  picture.alt = name;
  picture.src = large;
  element("viewer-name").textContent = name;
  element("viewer-place").textContent = `${all.indexOf(link) + 1} of ${all.length}`;
  element("viewer-job").href = link.href;
  element("viewer-back").disabled = link === all[0];
  element("viewer-next").disabled = link === all.at(-1);
  if (!viewer.open) viewer.showModal();
  const beside = all[all.indexOf(link) + 1];
  if (beside) new Image().src = beside.dataset.large;
}

function step(by) {
  const all = links();
  show(all[all.indexOf(now) + by]);
}

list?.addEventListener("click", (event) => {
  const link = event.target.closest(".picture");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  show(link);
});
viewer.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") step(1);
  else if (event.key === "ArrowLeft") step(-1);
  else if (event.key === "Home") show(links()[0]);
  else if (event.key === "End") show(links().at(-1));
  else return;
  event.preventDefault();
});
viewer.addEventListener("close", () => now?.focus());
viewer.addEventListener("click", (event) => event.target === viewer && viewer.close());
element("viewer-close").addEventListener("click", () => viewer.close());
element("viewer-back").addEventListener("click", () => step(-1));
element("viewer-next").addEventListener("click", () => step(1));

let from = 0;
viewer.addEventListener("touchstart", (event) => (from = event.changedTouches[0].clientX), { passive: true });
viewer.addEventListener("touchend", (event) => {
  const moved = event.changedTouches[0].clientX - from;
  if (Math.abs(moved) > SWIPE) step(moved < 0 ? 1 : -1);
}, { passive: true });
