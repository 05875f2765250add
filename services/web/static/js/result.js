// What a pipeline found out, as a list that a person reads; the JSON is there for who wants it.

import { h } from "./dom.js";
import { placeholderOf } from "./picture.js";
import { duration } from "./words.js";

//: Keys whose words or order are worth choosing; all others follow, spelled from the key.
const KNOWN = [
  ["size", "Dimensions"],
  ["format", "Format"],
  ["taken_at", "Taken"],
  ["duration", "Duration"],
  ["duration_seconds", "Duration"],
  ["seconds", "Duration"],
  ["colour_profile", "Colour profile"],
  ["orientation", "Orientation"],
  ["has_alpha", "Transparent"],
  ["frames", "Frames"],
];

//: https://www.cipa.jp/std/documents/download_e.html?DC-008-Translation-2023-E, tag 0x0112
const ORIENTATIONS = {
  1: "upright",
  2: "mirrored, corrected",
  3: "upside down, corrected",
  4: "mirrored upside down, corrected",
  5: "mirrored on its side, corrected",
  6: "turned to the left, corrected",
  7: "mirrored on its side, corrected",
  8: "turned to the right, corrected",
};

let shown = "";

export function showResult(section, job) {
  section.hidden = !job.result;
  const now = JSON.stringify(job.result);
  if (!job.result || now === shown) return;
  shown = now;
  const { exif, placeholder, ...rest } = job.result;
  const blur = placeholderOf(job.result);
  section.replaceChildren(
    h("h2", { id: "result-title", text: "What was found" }),
    h("dl", { class: "facts" }, facts(rest), blur ? h("div", {}, h("dt", { text: "Placeholder" }), h("dd", {}, h("img", { class: "blur", src: blur, alt: "A blur of the picture", width: 64, height: 48 }), h("span", { text: ` ${blur.length} characters` }))) : null),
    ...(exif && Object.keys(exif).length ? [exifTable(exif)] : []),
    h("details", { class: "raw" }, h("summary", { text: "As JSON" }), h("pre", { tabindex: 0 }, h("code", { text: JSON.stringify(placeholder ? { ...rest, exif, placeholder } : job.result, null, 2) }))),
  );
}

function facts(result) {
  const values = { ...result };
  if (values.width && values.height) {
    const pixels = (values.width * values.height) / 1e6;
    values.size = `${values.width} × ${values.height}${pixels >= 0.1 ? ` (${pixels.toFixed(1)} megapixels)` : ""}`;
    delete values.width;
    delete values.height;
  }
  const order = [...KNOWN.map(([key]) => key).filter((key) => key in values), ...Object.keys(values).filter((key) => !KNOWN.some(([known]) => known === key))];
  return order
    .map((key) => [KNOWN.find(([known]) => known === key)?.[1] ?? spelled(key), worded(key, values[key], "format" in values)])
    .filter(([, value]) => value !== "")
    .map(([name, value]) => h("div", {}, h("dt", { text: name }), h("dd", { text: value })));
}

/** `web_vitals` and `FocalLength` become "Web vitals" and "Focal length". */
function spelled(key) {
  const words = key.replace(/_/g, " ").replace(/([a-z\d])([A-Z])/g, (_, a, b) => `${a} ${b.toLowerCase()}`);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function worded(key, value, isPicture = false) {
  if (value === null || value === undefined) return "";
  if (key === "orientation") return ORIENTATIONS[value] ?? String(value);
  if (key === "format") return String(value).toUpperCase();
  if (["duration", "duration_seconds", "seconds"].includes(key)) return duration(value);
  if (key === "frames" && isPicture) return value > 1 ? `${value}, the first is shown` : "";
  if (key === "taken_at") return String(value).replace("T", " ");
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map((item) => worded("", item)).join(", ");
  if (typeof value === "object") return Object.entries(value).filter(([, part]) => part !== null).map(([name, part]) => `${spelled(name).toLowerCase()} ${worded(name, part)}`).join(", ");
  return String(value);
}

function exifTable(exif) {
  return h(
    "div",
    { class: "exif" },
    h("h3", { text: "EXIF" }),
    h(
      "table",
      {},
      h("thead", { class: "hidden" }, h("tr", {}, h("th", { scope: "col", text: "Tag" }), h("th", { scope: "col", text: "Value" }))),
      h("tbody", {}, Object.entries(exif).map(([tag, value]) => h("tr", {}, h("th", { scope: "row", text: spelled(tag) }), h("td", { text: worded(tag, value) })))),
    ),
    h("p", { class: "note", text: "Location and serial numbers are not kept." }),
  );
}
