// Numbers and times as people read them.

import { serverNow } from "./clock.js";

/** The beginning and the end of a name, which tell it from others, for a sentence that has little room. */
export function elided(name, most = 36) {
  const letters = [...name];
  return letters.length > most ? `${letters.slice(0, most - 13).join("")}…${letters.slice(-12).join("")}` : name;
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];

export function bytes(count) {
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(unit <= 1 ? 0 : digits)} ${UNITS[unit]}`;
}

/** "4 s", "2 min 5 s", "3 h 20 min", "2 days". */
export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  const minutes = Math.floor(s / 60);
  if (minutes < 10) return s % 60 ? `${minutes} min ${s % 60} s` : `${minutes} min`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} days`;
}

/** How long a recording is: as `duration`, and tenths of the first second. */
export function length(seconds) {
  return seconds > 0 && seconds < 0.95 ? `${Math.max(0.1, seconds).toFixed(1)} s` : duration(seconds);
}

/** Age in one unit: what a narrow column has room for. */
export function age(since) {
  const s = Math.max(0, (serverNow() - Date.parse(since)) / 1000);
  if (s < 10) return "now";
  if (s < 60) return `${Math.floor(s / 10) * 10} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

export function secondsSince(since, until = null) {
  return Math.max(0, ((until ? Date.parse(until) : serverNow()) - Date.parse(since)) / 1000);
}

export function secondsUntil(time) {
  return (Date.parse(time) - serverNow()) / 1000;
}

const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function moment(time) {
  return time ? MOMENT.format(new Date(time)) : "";
}

export function money(usd) {
  if (usd === null || usd === undefined) return "";
  if (usd > 0 && usd < 0.01) return "under $0.01";
  return `$${usd.toFixed(2)}`;
}

const NUMBER = new Intl.NumberFormat();

export function number(count) {
  return NUMBER.format(count);
}

export function plural(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** A part of a whole, rounded. */
export function share(fraction) {
  return `${Math.round(fraction * 100)} %`;
}

/** How far something has come: all of it only when it has come to its end. */
export function percent(fraction) {
  return `${Math.floor(Math.min(1, Math.max(0, fraction)) * 100)} %`;
}
