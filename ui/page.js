// The page's own script: no data leaves the page but through Gradio's events.

// `PAGE` stands before this script: {language, texts}. Gradio words its own controls in the browser's
// language; this page has one of its own.
const BASE = new URL(document.baseURI).pathname; // of the page in its language, as /desk/en/
const EDITS = "edits ";
let scored = "{}"; // the edits that the result was scored with
let asked = "{}"; // those that a result is awaited for
let isThere = false; // Gradio selects a tab before the address is followed
let isLeaving = false; // by a link of the page itself, which loses nothing
let going = null; // the address that the server was asked for, until it has answered
let since = 0; // when
let opening = null; // since when an application is being opened
let isScoreAsked = false; // meanwhile: it is scored once it is there

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Places: what the address says, and what is shown. The server answers what belongs to an address.
const here = () => decodeURI(location.pathname).slice(BASE.length) + location.search;
const shown = () => one("[data-place]")?.dataset.place ?? "";
const tabOf = (at) => ({ new: "client", decision: "decisions" })[at.split(/[/?]/)[0]] ?? (at.split(/[/?]/)[0] || "client");

const LONGEST_MS = 20_000; // a question that is older has no answer

// One address at a time: Gradio drops what is pressed meanwhile, so the last address is asked for on arrival.
function follow() {
  if (going === null || performance.now() - since > LONGEST_MS) one("#go").click();
}
window.go = (at) => {
  if (at !== here()) history.pushState(null, "", BASE + at);
  follow();
};
// Who compares does so with the edits of the client.
window.asked = () => {
  [going, since] = [here(), performance.now()];
  return [{ at: here(), ...edited(here().split("?")[0].replace(/^compare\/(new$)?/, (_, fresh) => fresh ?? "client/")) }];
};
window.opening = (number) => {
  opening = performance.now();
  return [number, edited(`client/${number.replace(/\D/g, "")}`)];
};
window.renewing = () => {
  opening = performance.now();
  return [edited("new")];
};

// What was opened by its number gets its address; what an address opened has it.
window.opened = () => {
  const wants = isScoreAsked;
  opening = null;
  isScoreAsked = false;
  if (one(".trouble")) return focus(one(".trouble"));
  scored = "{}";
  settle();
  if (shown() && shown() !== here()) history.pushState(null, "", BASE + shown());
  standing();
  focus(one(".verdict"));
  if (wants) one("#score-again").click();
};
// Says whether this is where the address leads by now; if not, it is asked for.
window.arrived = () => {
  if (isAnothers()) return location.reload();
  const isLate = going !== null && going !== here();
  going = null;
  scored = "{}";
  isThere = true;
  if (isLate) {
    follow();
    return false;
  }
  select(tabOf(here()));
  if (tabOf(here()) === "client") settle();
  if (!here() && shown() && one("#application")) history.replaceState(null, "", BASE + shown());
  standing();
  all(".record a[data-step]").forEach(step);
  return true;
};
function select(tab) {
  const found = one(`[role="tab"][data-tab-id="${tab}"]`);
  if (found?.getAttribute("aria-selected") === "false") found.click();
}
window.tabbed = (tab) => {
  if (!isThere || tabOf(here()) === tab) return;
  if (tab === "decisions") return window.go("decisions");
  if (tab === "compare") return window.go(shown() ? `compare/${shown().replace("client/", "")}` : tab);
  history.pushState(null, "", BASE + (tab === "client" ? shown() : tab));
};
addEventListener("popstate", follow);
addEventListener("pageshow", (event) => event.persisted && location.reload()); // what a browser kept may be another's

// Gradio writes a new form into the old one, whose controls keep what was chosen or undone in them: each gets
// what the server says, and what was typed while that was on its way.
function settle() {
  const typed = edited(shown() || "new");
  for (const control of all("#application [name]")) {
    const chosen = control.tagName === "SELECT" && [...control.options].find((option) => option.defaultSelected);
    control.value = control.tagName === "SELECT" ? chosen?.value ?? "" : control.defaultValue;
    if (control.value === control.dataset.was && typed.lang === PAGE.code && control.name in typed) control.value = typed[control.name];
    mark(control);
  }
}

function focus(found) {
  if (!found) return;
  found.tabIndex = -1;
  found.focus({ preventScroll: true });
  if (found.getBoundingClientRect().top < 0 || found.getBoundingClientRect().top > innerHeight / 2) found.scrollIntoView({ block: "start" });
}

// The decision before and behind this one, as the list has them that it was opened from.
function step(link) {
  const listed = all(".worklist a[data-event]").map((row) => row.getAttribute("href"));
  const place = listed.indexOf(here().split("?")[0]);
  const next = place < 0 ? undefined : listed[place + Number(link.dataset.step)];
  link.hidden = !next;
  if (next) link.setAttribute("href", next);
}

// A tab in which another person has signed in forgets what the one before has typed.
function isAnothers() {
  const person = one("[data-person]")?.dataset.person ?? "", before = sessionStorage.getItem("person");
  if (person === (before ?? "") || (!person && before === null)) return false;
  const had = before !== null && hasEdits();
  if (before !== null) sessionStorage.clear();
  sessionStorage.setItem("person", person);
  return had;
}
// Whose session has ended signs in, and comes back to where he was.
const ask = window.fetch;
window.fetch = async (...asked) => {
  const answer = await ask(...asked);
  if (answer.status === 401) {
    isLeaving = true;
    location.assign(`${BASE}login?${new URLSearchParams({ next: here() })}`);
  }
  return answer;
};

// Edits of each application outlive a reload, another language and a look at another client.
function edited(at) {
  return JSON.parse(sessionStorage.getItem(EDITS + at) ?? "{}");
}
function edits() {
  const texts = {};
  for (const control of all("#application [name]")) {
    if (control.value !== control.dataset.was) texts[control.name] = control.value;
  }
  return texts;
}
function keep() {
  const texts = edits(), key = EDITS + (shown() || "new");
  if (Object.keys(texts).length) sessionStorage.setItem(key, JSON.stringify({ lang: PAGE.code, ...texts }));
  else sessionStorage.removeItem(key);
}
const hasEdits = () => Object.keys(sessionStorage).some((key) => key.startsWith(EDITS));
addEventListener("beforeunload", (event) => {
  if (!isLeaving && hasEdits()) event.preventDefault();
});

// Texts of the form, by column: what Gradio sends to the server when the page asks for a score.
window.applicationTexts = () => {
  asked = JSON.stringify(edits());
  return Object.fromEntries(all("#application [name]").map((control) => [control.name, control.value]));
};
function forgive() {
  for (const control of all("#application [aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("aria-describedby");
    one(".fault", control.closest(".field")).textContent = "";
  }
}
window.scoredAgain = () => {
  forgive();
  const trouble = one(".trouble");
  if (!trouble) scored = asked;
  standing();
  const faults = trouble ? all('a[href^="#fact-"]', trouble) : [];
  for (const fault of faults) {
    const control = one(fault.getAttribute("href"));
    if (!control) continue;
    const said = one(".fault", control.closest(".field"));
    said.textContent = fault.textContent;
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-describedby", said.id);
    control.closest("details").open = true;
  }
  if (faults.length) return reach(one(faults[0].getAttribute("href")));
  focus(trouble ?? one(".verdict"));
};
window.found = () => focus(one(".trouble") ?? one(".ways"));
window.undone = () => {
  forgive();
  for (const control of all("#application [name]")) {
    control.value = control.dataset.was;
    mark(control);
  }
  scored = "{}";
  keep();
  standing();
};

// Whether the result is that of the facts as stored, of the edits, or of what stood there before them.
function standing() {
  const line = one(".standing");
  if (!line) return;
  const now = JSON.stringify(edits());
  const state = now !== scored ? "edited" : now === "{}" ? "stored" : "scored";
  if (line.textContent !== line.dataset[state]) line.textContent = line.dataset[state];
  const verdict = line.closest(".verdict"), decide = one('form[data-act="#decide"] button', verdict);
  verdict.classList.toggle("stale", state === "edited");
  if (decide) decide.disabled = state === "edited"; // nobody records what the button does not say
}
function mark(control) {
  const was = control.dataset.was, changed = control.value !== was;
  const root = control.closest("#application"), field = control.closest(".field");
  const words = control.tagName === "SELECT"
    ? [...control.options].find((option) => option.value === was)?.text : was || root.dataset.missing;
  field.classList.toggle("changed", changed);
  one(".was", field).textContent = changed ? `${root.dataset.was} ${words}` : "";
}
function reach(control) {
  if (!control) return;
  control.closest("details").open = true;
  control.focus();
}

// Gradio's tabs are reached by Tab alone; those who read by ear expect arrows.
function walk(event) {
  const tabs = all('[role="tab"]', event.target.closest('[role="tablist"]')).filter((tab) => tab.offsetParent);
  const place = tabs.indexOf(event.target);
  const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const next = tabs[(to + tabs.length) % tabs.length];
  next.focus();
  next.click();
}

const bare = (words) => words.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "");
function findFact(text) {
  for (const group of all("#application details")) {
    let found = 0;
    for (const field of all(".field", group)) {
      const label = one("label", field);
      field.hidden = !bare(label.textContent + label.title).includes(bare(text));
      found += !field.hidden;
    }
    group.hidden = !found;
    if (text && found) group.open = true;
  }
}

// Another threshold: the server wrote the figures of each.
function slide(control) {
  const root = control.closest(".owner"), place = Number(control.value);
  for (const figure of all("[data-each]", root)) figure.textContent = JSON.parse(figure.dataset.each)[place];
  control.setAttribute("aria-valuetext", all(".tiles [data-each]", root).map((figure) => figure.parentElement.textContent).join(", "));
  for (const line of all("[data-moves]", root)) {
    const x = JSON.parse(line.closest("[data-at]").dataset.at)[place] + "%";
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
  }
}

document.addEventListener("input", ({ target }) => {
  if (target.id === "find-fact") findFact(target.value);
  else if (target.id === "threshold") slide(target);
  else if (target.dataset?.finds) {
    for (const row of all(target.dataset.finds)) row.hidden = !bare(row.textContent).includes(bare(target.value));
  } else if (target.matches?.("#application [name]")) {
    mark(target);
    keep();
    standing();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches?.("#application input[name]")) one("#score-again").click();
  if (event.target.matches?.('[role="tab"]')) walk(event);
});
// Forms of the page: a filter is an address, whatever else is sent by the button that it names.
document.addEventListener("submit", (event) => {
  const sent = event.target.closest("form[data-go], form[data-act]");
  if (!sent) return;
  event.preventDefault();
  const texts = Object.fromEntries([...new FormData(sent)].filter(([, value]) => value));
  if (sent.dataset.go) return window.go(`${sent.dataset.go}?${new URLSearchParams(texts)}`);
  window.sent = [texts];
  one(sent.dataset.act).click();
});
document.addEventListener("click", (event) => {
  if (!event.target.closest?.("#score-again") || opening === null || performance.now() - opening > LONGEST_MS) return;
  isScoreAsked = true;
  event.stopImmediatePropagation();
}, true);
document.addEventListener("click", (event) => {
  const way = event.target.closest?.("[data-try]");
  if (way) {
    for (const [name, text] of Object.entries(JSON.parse(way.dataset.try))) {
      const control = one(`#fact-${name}`);
      control.value = text;
      mark(control);
    }
    keep();
    return one("#score-again").click();
  }
  const link = event.target.closest?.("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const at = link.getAttribute("href") ?? "";
  if ("language" in link.dataset) {
    isLeaving = true;
    link.setAttribute("href", `../${link.dataset.language}/${here()}`);
  } else if ("print" in link.dataset) {
    event.preventDefault();
    print();
  } else if ("go" in link.dataset) {
    event.preventDefault();
    window.go(at);
  } else if (at.startsWith("#fact-") && one(at)) {
    event.preventDefault();
    reach(one(at));
  }
});

// Gradio's own texts, and its <html lang>. Written only when they differ: an observer that writes
// always would wake itself for ever.
function correct() {
  if (document.documentElement.lang !== PAGE.language) document.documentElement.lang = PAGE.language;
  for (const element of all("div.empty[aria-label], button.upload-container[aria-label]")) {
    element.removeAttribute("aria-label");
  }
  const drop = one(".upload button .wrap");
  if (drop && !drop.textContent.includes(PAGE.texts.drop)) {
    const words = [...drop.childNodes].filter((node) => !node.querySelector?.("svg"));
    for (const node of words) node.textContent = "";
    (words.find((node) => node.nodeType === Node.TEXT_NODE) ?? drop.appendChild(new Text())).textContent = PAGE.texts.drop;
  }
  for (const [selector, text] of Object.entries(PAGE.texts.labels)) {
    for (const element of all(selector)) {
      if (element.getAttribute("aria-label") !== text) element.setAttribute("aria-label", text);
      if (element.title && element.title !== text) element.title = text;
    }
  }
}
new MutationObserver(correct).observe(document.documentElement, {
  subtree: true, childList: true, attributes: true, attributeFilter: ["aria-label", "lang"],
});
correct();
