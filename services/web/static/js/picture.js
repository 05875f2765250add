// The small picture of a job: a blur at first, then the thumbnail; an icon where there is none.

import { h, icon } from "./dom.js";

/** The placeholder of a result, if it is one that we may show: a small data URI and nothing else. */
export function placeholderOf(result) {
  const blur = result?.placeholder;
  return typeof blur === "string" && blur.length < 1000 && /^data:image\/webp;base64,[\w+/=]+$/.test(blur) ? blur : null;
}

function iconFor(contentType) {
  const kind = contentType.split("/")[0];
  return ["image", "audio", "video"].includes(kind) ? kind : "file";
}

export function picture(job) {
  const element = h("span", { class: "thumb" }, icon(iconFor(job.content_type)));
  setPicture(element, job);
  return element;
}

/** Show the thumbnail once there is one. Its address never expires, so it is asked for once. */
export function setPicture(element, job) {
  const url = job.thumbnail_url;
  if ((element.dataset.url ?? "") === (url ?? "")) return;
  element.dataset.url = url ?? "";
  if (!url) {
    element.replaceChildren(icon(iconFor(job.content_type)));
    return;
  }
  const blur = placeholderOf(job.result);
  const image = h("img", { alt: "", width: 40, height: 40, loading: "lazy", decoding: "async" });
  if (blur) image.style.backgroundImage = `url("${blur}")`;
  // Browsers cannot show every format that a thumbnail may have (TIFF): the blur or the icon stays then.
  image.addEventListener("error", () => (blur && image.src !== blur ? (image.src = blur) : element.replaceChildren(icon("image"))));
  image.src = url;
  element.replaceChildren(image);
}
