// Lists that go on: the next page is read from its own address and put below this one.

import { announce, complain } from "./notices.js";

/** Put the items of the next page below those that are here. Without script the same link leads there. */
async function more(link) {
  link.setAttribute("aria-disabled", "true");
  const answer = await fetch(link.href, { headers: { "X-Requested-With": "XMLHttpRequest" } });
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const list = document.querySelector(link.dataset.more);
  const items = [...page.querySelectorAll(`${link.dataset.more} > *`)];
  list.append(...items);
  announce(`${items.length} more.`);
  items[0]?.querySelector("a")?.focus({ preventScroll: true });
  const next = page.querySelector("a[data-more]");
  if (next) {
    link.href = next.getAttribute("href");
    link.removeAttribute("aria-disabled");
  } else {
    link.remove();
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-more]");
  if (!link || event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  if (link.getAttribute("aria-disabled")) return;
  more(link).catch((error) => {
    link.removeAttribute("aria-disabled");
    complain(error);
  });
});
