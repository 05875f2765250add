// The published files of a job: pictures and players where a browser can show them, downloads for all.

import { artifactUrl } from "./api.js";
import { h, icon } from "./dom.js";
import { placeholderOf } from "./picture.js";
import { bytes } from "./words.js";

//: What every current browser can show.
const SHOWN = /^image\/(jpeg|png|webp|gif|avif|svg\+xml)$/;

let shown = "";

/** Whether a job has something to play or to read, for which recording.js makes a place of its own. */
export function isRecording(job) {
  return job.artifacts.some(({ kind, content_type: type }) => kind === "transcript" || /^(audio|video)\//.test(type));
}

export function showArtifacts(section, job) {
  const now = job.artifacts.map((artifact) => artifact.id).join();
  section.hidden = job.artifacts.length === 0;
  if (now === shown) return;
  shown = now;
  const best = isRecording(job) ? null : preview(job);
  section.replaceChildren(
    h("h2", { id: "artifacts-title", class: "hidden", text: "Results" }),
    ...(best ? [best] : []),
    isRecording(job) ? h("details", {}, h("summary", { text: "All files, as the pipeline made them" }), files(job)) : files(job),
  );
}

/** The largest picture, in full width. */
function preview(job) {
  const area = (artifact) => (artifact.metadata.width ?? 0) * (artifact.metadata.height ?? 0);
  const pictures = job.artifacts.filter((artifact) => SHOWN.test(artifact.content_type)).sort((a, b) => area(b) - area(a));
  if (!pictures.length) return null;
  const [picture] = pictures;
  const { width, height } = picture.metadata;
  const image = h("img", { class: "preview", src: artifactUrl(picture.id), width, height, alt: `${job.filename}, processed`, decoding: "async" });
  const blur = placeholderOf(job.result);
  if (blur) image.style.backgroundImage = `url("${blur}")`;
  return h("a", { class: "preview-link", href: artifactUrl(picture.id), target: "_blank", rel: "noopener", title: "Open in full size" }, image);
}

function files(job) {
  return h("ul", { class: "files" }, job.artifacts.map(fileRow));
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
