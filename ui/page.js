// The page's own script: no data leaves the page but through Gradio's events.

// `PAGE` stands before this script: {language, texts}. Gradio words its own controls in the browser's
// language; this page has one of its own.
const OTHER = "\u0001other";

// Texts of the form, by column: what Gradio sends to the server when the page asks for a score.
window.applicationTexts = () => {
  const texts = {};
  for (const control of document.querySelectorAll("#application [name]")) {
    const isOther = control.value === OTHER;
    texts[control.name] = isOther ? control.parentElement.querySelector(".free").value : control.value;
  }
  return texts;
};

window.undoChanges = () => {
  for (const control of document.querySelectorAll("#application [name]")) {
    control.value = control.dataset.was;
    mark(control);
  }
};

// Where the result stands above the form, an answer is brought into view.
window.showResult = () => {
  const result = document.querySelector(".trouble, .verdict");
  if (result && result.getBoundingClientRect().top < 0) result.scrollIntoView({ block: "start" });
};

// A client that is open stays open when the language changes; the address forgets it at once.
window.linkedClient = () => {
  const number = location.hash.replace(/\D/g, "");
  if (number) history.replaceState(null, "", location.pathname);
  return number;
};

function mark(control) {
  const field = control.closest(".field");
  const free = field.querySelector(".free");
  if (free) free.hidden = control.value !== OTHER;
  const was = control.dataset.was;
  const changed = control.value !== was;
  const root = control.closest("#application");
  const shown = control.tagName === "SELECT"
    ? [...control.options].find((option) => option.value === was)?.text : was || root.dataset.missing;
  field.classList.toggle("changed", changed);
  field.querySelector(".was").textContent = changed ? `${root.dataset.was} ${shown}` : "";
}

function find(text) {
  const plain = (words) => words.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "");
  for (const group of document.querySelectorAll("#application details")) {
    let found = 0;
    for (const field of group.querySelectorAll(".field")) {
      const label = field.querySelector("label");
      field.hidden = !plain(label.textContent + label.title).includes(plain(text));
      found += !field.hidden;
    }
    group.hidden = !found;
    if (text && found) group.open = true;
  }
}

document.addEventListener("input", ({ target }) => {
  if (target.id === "find-fact") find(target.value);
  else if (target.matches?.("#application [name]")) mark(target);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches?.("#application input[name], #application .free")) {
    document.querySelector("#score-again").click();
  }
});
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-language]");
  const open = document.querySelector("[data-client]");
  if (link && open) link.hash = open.dataset.client;
  const fault = event.target.closest?.('a[href^="#fact-"]');
  const control = fault && document.querySelector(fault.getAttribute("href"));
  if (control) {
    event.preventDefault();
    control.closest("details").open = true;
    control.focus();
  }
});

// Gradio's own texts, and its <html lang>. Written only when they differ: an observer that writes
// always would wake itself for ever.
function correct() {
  if (document.documentElement.lang !== PAGE.language) document.documentElement.lang = PAGE.language;
  for (const element of document.querySelectorAll("div.empty[aria-label], button.upload-container[aria-label]")) {
    element.removeAttribute("aria-label");
  }
  const drop = document.querySelector(".upload button .wrap");
  if (drop && !drop.textContent.includes(PAGE.texts.drop)) {
    const words = [...drop.childNodes].filter((node) => !node.querySelector?.("svg"));
    for (const node of words) node.textContent = "";
    (words.find((node) => node.nodeType === Node.TEXT_NODE) ?? drop.appendChild(new Text())).textContent = PAGE.texts.drop;
  }
  for (const [selector, text] of Object.entries(PAGE.texts.labels)) {
    for (const element of document.querySelectorAll(selector)) {
      if (element.getAttribute("aria-label") !== text) element.setAttribute("aria-label", text);
      if (element.title && element.title !== text) element.title = text;
    }
  }
}
new MutationObserver(correct).observe(document.documentElement, {
  subtree: true, childList: true, attributes: true, attributeFilter: ["aria-label", "lang"],
});
correct();
