// Keeps the page as it is now: takes the parts that changed, and says when it can't.
"use strict";

const live = document.getElementById("live");
const patience = 15000;
let heard = Date.now();
let source = null;

function said(text, isOld) {
  if (live.textContent !== text) live.textContent = text;
  live.className = isOld ? "old" : "";
}

function clock() {
  return new Date().toLocaleTimeString();
}

function isHeard() {
  heard = Date.now();
  said("Live", false);
}

function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
}

function opened(part) {
  return [...part.querySelectorAll("details[open]")].map((each) => each.id);
}

function reopen(ids) {
  for (const id of ids) {
    const details = document.getElementById(id);
    if (details) details.open = true;
  }
}

function replaceParts(told) {
  for (const [id, html] of Object.entries(told.parts)) {
    const old = document.getElementById(id);
    const next = parsed(html);
    if (!old || !next) continue;
    const open = opened(old);
    old.replaceWith(next);
    reopen(open);
  }
  document.getElementById("main").dataset.number = told.number;
  filter();
}

async function replaceAll() {
  const answer = await fetch(".", { cache: "no-store" });
  if (!answer.ok) throw new Error(answer.status);
  const text = await answer.text();
  const next = new DOMParser().parseFromString(text, "text/html");
  document.title = next.title;
  const wanted = document.getElementById("filter").value;
  const open = opened(document);
  document.getElementById("main").replaceWith(next.getElementById("main"));
  reopen(open);
  begin(wanted);
}

function filter() {
  const wanted = document.getElementById("filter").value.trim().toLowerCase();
  for (const vip of document.querySelectorAll("main > table tbody")) {
    vip.hidden = wanted !== "" && !vip.textContent.toLowerCase().includes(wanted);
  }
}

function begin(wanted) {
  const field = document.getElementById("filter");
  field.closest("p").hidden = false;
  field.value = wanted;
  field.addEventListener("input", filter);
  filter();
}

function follow() {
  if (source) source.close();
  const have = document.getElementById("main").dataset.number;
  source = new EventSource(`live?have=${encodeURIComponent(have)}`);
  source.addEventListener("alive", isHeard);
  source.addEventListener("parts", (event) => {
    replaceParts(JSON.parse(event.data));
    isHeard();
  });
  source.addEventListener("whole", () => {
    source.close();
    replaceAll().then(follow, () => setTimeout(follow, 5000));
  });
  source.addEventListener("error", () => {
    source.close();
    setTimeout(follow, 5000);
  });
}

setInterval(() => {
  if (Date.now() - heard > patience) {
    const since = new Date(heard).toLocaleTimeString();
    said(`Not connected: what is shown is of ${since}, and may have changed`, true);
  }
}, 1000);

begin("");
follow();
