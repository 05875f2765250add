// What a pipeline found out, as a list that a person reads; the JSON is there for who wants it.

import { h } from "./dom.js";
import { placeholderOf } from "./picture.js";
import { length } from "./words.js";

//: Keys whose words or order are worth choosing; all others follow, spelled from the key.
const KNOWN = [
  ["size", "Dimensions"],
  ["format", "Format"],
  ["taken_at", "Taken"],
  ["seconds", "Duration"],
  ["duration", "Duration"],
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

//: A film's own length, then that of what was heard in it: the first that there is is shown.
const LENGTHS = ["seconds", "duration"];

//: FFmpeg's names of demuxers: https://ffmpeg.org/ffmpeg-formats.html#Demuxers
const CONTAINERS = new Map([
  ["asf", "Windows Media (ASF)"],
  ["avi", "AVI"],
  ["dv", "DV"],
  ["flv", "Flash Video"],
  ["ivf", "IVF"],
  ["matroska,webm", "Matroska/WebM"],
  ["mov,mp4,m4a,3gp,3g2,mj2", "MP4/QuickTime"],
  ["mpeg", "MPEG"],
  ["mpegts", "MPEG transport stream"],
  ["mxf", "MXF"],
  ["nut", "NUT"],
  ["ogg", "Ogg"],
  ["rm", "RealMedia"],
  ["wtv", "Windows TV recording"],
  ["yuv4mpegpipe", "YUV4MPEG"],
]);

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
  for (const key of LENGTHS.filter((name) => typeof values[name] === "number").slice(1)) delete values[key];
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
  if (key === "language" && value === "und") return ""; // nobody speaks
  if (key === "format") return String(value).toUpperCase();
  if (LENGTHS.includes(key)) return length(value);
  if (key === "starts_at") return value ? `${value} s` : "";
  if (key === "container") return CONTAINERS.get(value) ?? String(value);
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
