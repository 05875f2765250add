// The published files of a job: pictures and players where a browser can show them, downloads for all.

import { artifactUrl } from "./api.js";
import { h, icon } from "./dom.js";
import { placeholderOf } from "./picture.js";
import { bytes } from "./words.js";

//: What every current browser can show.
const SHOWN = /^image\/(jpeg|png|webp|gif|avif|svg\+xml)$/;

let shown = "";

export function showArtifacts(section, job) {
  const now = job.artifacts.map((artifact) => artifact.id).join();
  section.hidden = job.artifacts.length === 0;
  if (now === shown) return;
  shown = now;
  const best = preview(job);
  section.replaceChildren(
    h("h2", { id: "artifacts-title", class: "hidden", text: "Results" }),
    ...(best ? [best] : []),
    h("ul", { class: "files" }, job.artifacts.map(fileRow)),
  );
}

/** The largest picture, or the first recording, in full width. */
function preview(job) {
  const area = (artifact) => (artifact.metadata.width ?? 0) * (artifact.metadata.height ?? 0);
  const pictures = job.artifacts.filter((artifact) => SHOWN.test(artifact.content_type)).sort((a, b) => area(b) - area(a));
  const recording = job.artifacts.find((artifact) => /^(video|audio)\//.test(artifact.content_type));
  if (recording) {
    const tag = recording.content_type.split("/")[0];
    return h(tag, { class: "preview", controls: true, preload: "metadata", src: artifactUrl(recording.id) });
  }
  if (!pictures.length) return null;
  const [picture] = pictures;
  const { width, height } = picture.metadata;
  const image = h("img", { class: "preview", src: artifactUrl(picture.id), width, height, alt: `${job.filename}, processed`, decoding: "async" });
  const blur = placeholderOf(job.result);
  if (blur) image.style.backgroundImage = `url("${blur}")`;
  return h("a", { class: "preview-link", href: artifactUrl(picture.id), target: "_blank", rel: "noopener", title: "Open in full size" }, image);
}

function fileRow(artifact) {
  const { width, height } = artifact.metadata;
  return h(
    "li",
    { class: "file" },
    SHOWN.test(artifact.content_type)
      ? h("span", { class: "thumb" }, h("img", { src: artifactUrl(artifact.id), alt: "", width: 40, height: 40, loading: "lazy" }))
      : h("span", { class: "thumb" }, icon("file")),
    h("span", { class: "file-name" }, h("strong", { text: artifact.kind }), h("span", { text: artifact.filename })),
    h("span", { class: "file-facts", text: [width && height ? `${width} × ${height}` : "", artifact.content_type, bytes(artifact.size_bytes)].filter(Boolean).join(" · ") }),
    h("a", { class: "button", href: artifactUrl(artifact.id, { download: true }), download: artifact.filename, "aria-label": `Download ${artifact.filename}` }, icon("download"), h("span", { text: "Download" })),
  );
}
